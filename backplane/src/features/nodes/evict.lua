-- evict: removes a node's entry, if its beat has not moved.
--
-- KEYS   [1] nodes; [2] flushed
-- ARGV   [1] boot id; [2] its beat when it was last seen
-- Reply  1 if it was removed, else 0
--
-- Atomic, because a node that beats after the comparison lives.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
