-- load: all of a tenant, without what buried nodes left and what is older than a day.
--
-- KEYS   dir, ver, policy
-- ARGV   [1] buried boot ids, separated by blanks; [2] how long to remember, ms
-- Reply  ver ("0" = none), key generation, "1" if suspended, the directory's fields and values
--
-- Atomic, because the snapshot's number must be that of its content: events above it are applied
-- to it. What is swept is not told, as every node sweeps its own replica by the clock.
local all, swept = redis.call('HGETALL', DIR), false
for i = 1, #all, 2 do
  local kind, value = string.sub(all[i], 1, 2), all[i + 1]
  local since = kind == 's:' and value or (kind == 'b:' and string.match(value, '^%d+ (%d+) %- '))
  local at = since and tonumber(since)
  -- What is no time, or one that is too far ahead, would stay for ever.
  if since and not (at and now - at < tonumber(ARGV[2]) and at - now <= AHEAD_US / 1000) then
    redis.call('HDEL', DIR, all[i])
    swept = true
  end
end
reap(set(ARGV[1]), all)
finish()
if swept or #changes > 0 then
  all = redis.call('HGETALL', DIR)
end
local generation, suspended = policy()
return { #changes > 0 and text(ver) or text(prev), generation, suspended, all }
