-- book: adds a record to an hour, once.
--
-- KEYS   [1] usage:seen; [2] usage:<hour>
-- ARGV   [1] boot id; [2] seq; [3] when the hour is closed, Unix ms; [4] when it expires, Unix s;
--        [5] "late:" if the record was counted in an earlier hour, else ""; [6] check number;
--        [7] what time it is, Unix ms, or 0: the time of this server; then meters and amounts
-- Reply  a number. 0: it was booked before; 1: it is booked; 2: it is booked, and the hour was empty;
--        a larger one: the hour is closed, nothing was written, and it is this time, Unix ms
--
-- Atomic, because a record that is added and not noted, or noted and not added, would count twice or
-- never. The time is that of the server: so an hour that is closed here is closed for every node.
-- Amounts are below 2^53, which a number of Lua holds exactly.
local HOUR_MS, KEPT_HOURS = 3600000, 168

local now_ms = tonumber(ARGV[7])
if now_ms == 0 then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end
local now_hour = math.floor(now_ms / HOUR_MS)

local seen = redis.call('HGET', KEYS[1], ARGV[1])
local last = seen and tonumber(string.match(seen, '^%d+'))
if last and tonumber(ARGV[2]) <= last then
  return 0
end
if now_ms >= tonumber(ARGV[3]) then
  return now_ms
end

-- What is added to which field.
local fields, added = { 'sum' }, { ARGV[6] }
for i = 8, #ARGV, 2 do
  fields[#fields + 1], added[#added + 1] = ARGV[i], ARGV[i + 1]
  if ARGV[5] ~= '' then
    fields[#fields + 1], added[#added + 1] = ARGV[5] .. ARGV[i], ARGV[i + 1]
  end
end
local stored = redis.call('HMGET', KEYS[2], unpack(fields))
local is_empty = not stored[1]
local written = {}
for i = 1, #fields do
  local sum = (tonumber(stored[i] or 0) or 0) + tonumber(added[i])
  if i == 1 then
    sum = sum % 9007199254740992
  end
  written[2 * i - 1], written[2 * i] = fields[i], string.format('%.0f', sum)
end
redis.call('HSET', KEYS[2], unpack(written))
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. now_hour)
if is_empty then
  redis.call('PEXPIRE', KEYS[2], math.max(1000, ARGV[4] * 1000 - now_ms))
  redis.call('PEXPIRE', KEYS[1], (KEPT_HOURS + 24) * HOUR_MS)
  -- Once an hour is often enough to forget boots that are gone.
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local hour = tonumber(string.match(all[i + 1], ' (%d+)$')) or 0
    if hour + KEPT_HOURS <= now_hour then
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end
return is_empty and 2 or 1
