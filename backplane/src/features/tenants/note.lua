-- note: writes a tenant into the list.
--
-- KEYS   tenants:<part>
-- ARGV   [1] the tenant; [2] a day on which it used something, '' if it was changed
-- Reply  "done"
--
-- Atomic, because the later of two days counts.
local day = redis.call('HGET', KEYS[1], ARGV[1])
if not day or ARGV[2] > day then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return 'done'
