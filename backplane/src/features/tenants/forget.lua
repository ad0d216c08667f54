-- forget: takes a tenant out of the list, unless the ledger has usage of it.
--
-- KEYS   tenants:<part>
-- ARGV   [1] the tenant; [2] the first day that the ledger keeps
-- Reply  "done"
--
-- Atomic, because the tenant may use something meanwhile.
local day = redis.call('HGET', KEYS[1], ARGV[1])
if day and day < ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 'done'
