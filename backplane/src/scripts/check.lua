-- check: whether the user may do what the other scripts do.
--
-- KEYS   a key that nobody uses
-- ARGV   [1] PUBLISH or SPUBLISH; [2] a channel that nobody listens to
-- Reply  "done"; or an error that names the command
--
-- Atomic, so that the key is gone before anybody sees it. An error in the middle of a real script
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
  or try('EXPIRE', KEYS[1], 1)
  or try('PEXPIRE', KEYS[1], 0)
  or try('HSET', KEYS[1], 'a', '')
  or try('HSETNX', KEYS[1], 'a', '')
  or try('HGET', KEYS[1], 'a')
  or try('HMGET', KEYS[1], 'a')
  or try('HEXISTS', KEYS[1], 'a')
  or try('HLEN', KEYS[1])
  or try('HGETALL', KEYS[1])
  or try('HDEL', KEYS[1], 'a')
  or try(ARGV[1], ARGV[2], '')
  or 'done'
