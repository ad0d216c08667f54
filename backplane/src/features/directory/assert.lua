-- assert: repeats what a node holds.
--
-- KEYS   dir, ver, policy
-- ARGV   [1] the highest key generation it knows; [2] how many bots; [3] how many connections;
--        then for each bot: id, epoch, since, boot id, connection id, meta; then for each
--        connection: id, boot id, client id
-- Reply  for each bot that was refused: id, boot id and connection id of the holder, or "-" "-"
--
-- Atomic, because a bot must not be taken by somebody else between the comparison and the writing.
local refused, at = {}, 4
for _ = 1, tonumber(ARGV[2]) do
  local id, epoch, conn = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 4]
  local held = bot(id)
  local stored = held and tonumber(held.epoch)
  if not held or stored < epoch or (stored == epoch and held.conn == conn) then
    put_bot(id, {
      epoch = ARGV[at + 1], since = ARGV[at + 2], boot = ARGV[at + 3], conn = conn, meta = ARGV[at + 5],
    })
  else
    refused[#refused + 1] = id
    refused[#refused + 1] = held.boot
    refused[#refused + 1] = held.conn
  end
  at = at + 6
end
for _ = 1, tonumber(ARGV[3]) do
  put('c:' .. ARGV[at], ARGV[at + 1] .. ' ' .. ARGV[at + 2])
  at = at + 3
end
local generation, suspended, assigned = policy()
if tonumber(ARGV[1]) > tonumber(generation) then
  set_policy(ARGV[1], suspended, assigned)
end
finish()
return refused
