-- beat: writes a node's beat and reads all.
--
-- KEYS   [1] nodes; [2] flushed
-- ARGV   [1] boot id; [2] beat; [3] the generation that the asker knows, or "-"; [4] a random one,
--        for a store that has none; [5] the first hour of which the node may have usage that is not booked
-- Reply  "evicted": the entry was removed by somebody; or "beats", or "repaired" if the generation
--        was none, and all fields of both hashes, the generation among them
--
-- Atomic, because a node that is evicted between the look and the writing would return. No numbers
-- here: both are 64 bits wide, and compared as texts.
local known, fresh = ARGV[3], ARGV[4]
local is_listed = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
local stored = redis.call('HGET', KEYS[1], 'generation')

-- Whether it is one that a node could have written, and so can read.
local function is_generation(text)
  local is_decimal = text == '0' or string.find(text, '^[1-9]%d*$')
  return is_decimal and (#text < 20 or (#text == 20 and text <= '18446744073709551615'))
end

local generation, answer = stored, 'beats'
if not stored then
  generation = fresh
elseif not is_generation(stored) then
  -- Who knows the last one and still has its entry knows that the data is there: no node needs to
  -- count anew.
  generation, answer = (is_listed and known ~= '-') and known or fresh, 'repaired'
end
if generation ~= stored then
  redis.call('HSET', KEYS[1], 'generation', generation)
end
if generation == known and not is_listed then
  return { 'evicted' }
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
return { answer, redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]) }
