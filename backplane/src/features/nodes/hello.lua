-- hello: writes what a node says of itself.
--
-- KEYS   node:<boot id>
-- ARGV   [1] how long it is kept, ms; then fields and values
-- Reply  "done"
--
-- Atomic, because an entry without an end of its life would stay for good.
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 'done'
