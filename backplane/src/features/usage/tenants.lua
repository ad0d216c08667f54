-- tenants: a part of the index of a day.
--
-- KEYS   usage:<day>:<part>
-- Reply  all fields and values; a field is a tenant
return redis.call('HGETALL', KEYS[1])
