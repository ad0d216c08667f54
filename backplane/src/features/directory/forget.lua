-- forget: takes a bot off the list, if nobody else holds it.
--
-- ARGV   [1] bot id; [2] epoch and [3] connection id that the asker holds it by, or "-" "-"
-- Reply  "done"; or "held": somebody else holds it
--
-- Atomic, because nobody may claim it between the comparison and the removal.
local held = bot(ARGV[1])
if held and held.conn ~= '-' and not (held.epoch == ARGV[2] and held.conn == ARGV[3]) then
  finish()
  return 'held'
end
drop('b:' .. ARGV[1])
finish()
return 'done'
