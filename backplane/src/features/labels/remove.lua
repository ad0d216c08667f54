-- remove: a tenant's labels are gone.
--
-- KEYS   labels
-- Reply  "": nothing is stored now
--
-- One write, so it needs no more to be atomic. The key expires at once, since the users of older
-- documents may not call DEL.
redis.call('SET', KEYS[1], '', 'PX', 1)
return ''
