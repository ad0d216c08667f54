-- read: what hours of a tenant have.
--
-- KEYS   usage:<hour>, at most 128 of them
-- Reply  {Unix ms of now, then for each hour that has something: its place among the keys, from 0, and
--        all its fields and values}
--
-- Atomic, so that an hour is not read with half of a record.
local time = redis.call('TIME')
local reply = { string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)) }
for i = 1, #KEYS do
  local fields = redis.call('HGETALL', KEYS[i])
  if #fields > 0 then
    reply[#reply + 1], reply[#reply + 2] = i - 1, fields
  end
end
return reply
