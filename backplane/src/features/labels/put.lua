-- put: replaces a tenant's labels.
--
-- KEYS   labels
-- ARGV   [1] what to store
-- Reply  what is stored now
--
-- One write, so it needs no more to be atomic.
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
