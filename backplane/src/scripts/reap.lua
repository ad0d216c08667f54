-- reap: lets go of what buried nodes held.
--
-- ARGV   [1] buried boot ids, separated by blanks
-- Reply  "done"
--
-- Atomic, because what a living node took over meanwhile must stay.
reap(set(ARGV[1]), redis.call('HGETALL', DIR))
finish()
return 'done'
