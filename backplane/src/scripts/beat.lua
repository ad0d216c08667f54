-- beat: writes a node's beat and reads all.
--
-- KEYS   nodes
-- ARGV   [1] boot id; [2] beat; [3] the generation that the asker knows, or "-"; [4] a random one,
--        for a store that has none
-- Reply  "buried": the entry was removed by somebody; or all fields of the hash, the generation
--        among them
--
-- Atomic, because a node that is buried between the look and the writing would return. No numbers
-- here: both are 64 bits wide.
redis.call('HSETNX', KEYS[1], 'generation', ARGV[4])
local generation = redis.call('HGET', KEYS[1], 'generation')
if generation == ARGV[3] and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return { 'buried' }
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGETALL', KEYS[1])
