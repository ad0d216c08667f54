-- read: what hours of a tenant have.
--
-- KEYS   usage:<hour>, at most 128 of them
-- ARGV   [1] what time it is, Unix ms, or 0: the time of this server
-- Reply  {Unix ms of now, then for each hour that has something: its place among the keys, from 0, and
--        all its fields and values; or, if the key is of another type, "WRONGTYPE"}
--
-- Atomic, so that an hour is not read with half of a record. One key of another type hides no other hour.
local now_ms = tonumber(ARGV[1])
if now_ms == 0 then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
local reply = { string.format('%.0f', now_ms) }
for i = 1, #KEYS do
  local fields = redis.pcall('HGETALL', KEYS[i])
  if fields.err then
    if not string.find(fields.err, '^WRONGTYPE') then
      return fields
    end
    fields = 'WRONGTYPE'
  end
  if #fields > 0 then
    reply[#reply + 1], reply[#reply + 2] = i - 1, fields
  end
end
return reply
