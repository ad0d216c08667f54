-- list: a part of the list.
--
-- KEYS   tenants:<part>
-- Reply  all fields and values; a field is a tenant
return redis.call('HGETALL', KEYS[1])
