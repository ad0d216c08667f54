-- index: writes a tenant into the index of a day.
--
-- KEYS   usage:<day>:<part>
-- ARGV   [1] the tenant; [2] how long the index is kept, ms
-- Reply  "done"
--
-- Atomic, because an index without an end of its life would stay for good. A hash and not a set, since
-- the users of older documents may not call SADD.
redis.call('HSET', KEYS[1], ARGV[1], '')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'done'
