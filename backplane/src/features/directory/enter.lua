-- enter: a connection came.
--
-- ARGV   [1] connection id; [2] boot id; [3] client id
-- Reply  "done"; or "full": the directory takes no more
--
-- Atomic: the record, its number and its event.
if redis.call('HEXISTS', DIR, 'c:' .. ARGV[1]) == 0 and is_full() then
  -- It may repair the counter.
  finish()
  return 'full'
end
put('c:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
finish()
return 'done'
