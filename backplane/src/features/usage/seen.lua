-- seen: the last record of each boot.
--
-- KEYS   usage:seen
-- Reply  all fields and values
return redis.call('HGETALL', KEYS[1])
