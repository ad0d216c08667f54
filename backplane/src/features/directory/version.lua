-- version: the tenant's counter.
--
-- Reply  ver ("0" = none)
--
-- A script, because the same step renews the life of what is asked about: a tenant that a node has
-- in memory is asked about every few seconds, and must not expire.
redis.call('EXPIRE', VER, KEEP_S)
redis.call('EXPIRE', DIR, KEEP_S)
finish()
return #changes > 0 and text(ver) or text(prev)
