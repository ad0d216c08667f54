-- put: replaces a tenant's labels.
--
-- KEYS   labels
-- ARGV   [1] what to store; "" for no labels
-- Reply  what is stored now
--
-- One write, so it needs no more to be atomic. Without labels nothing is left: the key expires at
-- once, since the users of older documents may not call DEL.
if ARGV[1] == '' then
  redis.call('SET', KEYS[1], '', 'PX', 1)
else
  redis.call('SET', KEYS[1], ARGV[1])
end
return ARGV[1]
