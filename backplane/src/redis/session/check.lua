-- check: whether the user may do what the other scripts do.
--
-- KEYS   a key that nobody uses
-- ARGV   [1] PUBLISH or SPUBLISH; [2] a channel that nobody listens to
-- Reply  "done"; or an error that names the command
--
-- Atomic, so that the key is gone before anybody sees it; or in a second, if a right is missing. An error in the middle of a real script
-- would leave half of a step behind.
local function try(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) == 'table' and answer.err then
    return redis.error_reply('NOPERM ' .. command .. ' in a script: ' .. answer.err)
  end
end

return try('TIME')
  or try('SET', KEYS[1], '', 'EX', 1)
  or try('GET', KEYS[1])
  or try('PEXPIRE', KEYS[1], 0)
  or try('HSET', KEYS[1], 'a', '')
  or try('EXPIRE', KEYS[1], 1)
  or try('HSETNX', KEYS[1], 'a', '')
  or try('HGET', KEYS[1], 'a')
  or try('HMGET', KEYS[1], 'a')
  or try('HEXISTS', KEYS[1], 'a')
  or try('HLEN', KEYS[1])
  or try('HGETALL', KEYS[1])
  or try('HSCAN', KEYS[1], 0)
  or try('HDEL', KEYS[1], 'a')
  or try('ZADD', KEYS[1], 1, 'a')
  or try('EXPIRE', KEYS[1], 1)
  or try('ZSCORE', KEYS[1], 'a')
  or try('ZCARD', KEYS[1])
  or try('ZSCAN', KEYS[1], 0)
  or try('ZREM', KEYS[1], 'a')
  or try('ZPOPMIN', KEYS[1])
  or try(ARGV[1], ARGV[2], '')
  or 'done'
