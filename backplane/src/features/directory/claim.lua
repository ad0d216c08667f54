-- claim: makes a connection the home of a bot.
--
-- ARGV   [1] bot id; [2] boot id; [3] connection id; [4] meta; [5] "reject" yields to a live
--        holder, "replace" does not; [6] evicted boot ids, separated by blanks
-- Reply  epoch, since when it is online (ms); or "full": the directory takes no more; or "held": a
--        live holder has it; or "newer" and the
--        epoch of one that claimed it with a step that the asker had not seen: the query was on
--        its way for long, and must not undo what came after it
--
-- Atomic, because of two claims at once one must be the later one, for all. Asked again by the
-- same connection it gives the same epoch.
local id, boot, conn, meta = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local held = bot(id)
if not held and redis.call('HEXISTS', DIR, 'b:' .. id) == 0 and is_full() then
  -- It may repair the counter.
  finish()
  return { 'full' }
end
local other = held and held.conn ~= '-' and held.conn ~= conn and not set(ARGV[6])[held.boot]
if other and ARGV[5] == 'reject' then
  finish()
  return { 'held' }
end
if other and math.min(tonumber(held.epoch), latest) > known then
  finish()
  return { 'newer', held.epoch }
end
local epoch, since = text(ver), now
if held and held.boot == boot and held.conn == conn then
  epoch, since = held.epoch, held.since
end
put_bot(id, { epoch = epoch, since = since, boot = boot, conn = conn, meta = meta })
finish()
return { epoch, since }
