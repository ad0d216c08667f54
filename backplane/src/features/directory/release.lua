-- release: homes and connections end.
--
-- ARGV   [1] how many bots; [2] how many connections; [3] how many client ids; then for each bot:
--        id, epoch, connection id; then the connections; then the client ids that were seen now
-- Reply  "done"
--
-- Atomic, because a bot ends only if this very epoch and connection is its holder still.
local at = 4
for _ = 1, tonumber(ARGV[1]) do
  local id = ARGV[at]
  local held = bot(id)
  if held and held.epoch == ARGV[at + 1] and held.conn == ARGV[at + 2] then
    release_bot(id, held)
  end
  at = at + 3
end
for _ = 1, tonumber(ARGV[2]) do
  drop('c:' .. ARGV[at])
  at = at + 1
end
for _ = 1, tonumber(ARGV[3]) do
  see(ARGV[at])
  at = at + 1
end
finish()
return 'done'
