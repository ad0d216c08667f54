-- get: a tenant's labels.
--
-- KEYS   labels
-- Reply  what is stored; "" if nothing is
return redis.call('GET', KEYS[1]) or ''
