-- reap: releases what dead nodes held, in one page of the directory.
--
-- KEYS   dir, ver, seen
-- ARGV   [1] evicted boot ids, separated by blanks; [2] where the page before ended, "0" at first
-- Reply  where the next page begins, "0" = nowhere
--
-- Atomic for each page, because what a living node took over meanwhile must stay.
local page = redis.call('HSCAN', DIR, ARGV[2], 'COUNT', PAGE)
reap(set(ARGV[1]), page[2])
finish()
return page[1]
