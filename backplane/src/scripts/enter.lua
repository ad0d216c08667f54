-- enter: a connection came.
--
-- ARGV   [1] connection id; [2] boot id; [3] client id
-- Reply  "done"
--
-- Atomic: the record, its number and its event.
put('c:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
finish()
return 'done'
