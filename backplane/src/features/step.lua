-- The beginning of every script of a tenant. It writes nothing by itself.
--
-- KEYS  dir, ver, and those of policy and seen that the script reads; all in the tenant's slot. A
--       slot that moves to another node answers TRYAGAIN to a script of whose keys one is missing;
--       most tenants have no policy.
-- ARGV  what the script says, then: the most client ids; the most bots and connections; the
--       channel of events, in the tenant's slot; PUBLISH or SPUBLISH; the highest number that the
--       asker has seen; the time in Unix ms, "0" = Redis's own.
--
-- One script is one step: it reads, writes, counts and publishes before anybody else does. Numbers
-- are doubles, exact up to 2^53; %.0f writes them without an exponent.
local DIR, VER = KEYS[1], KEYS[2]
local POLICY, SEEN
for i = 3, #KEYS do
  if string.sub(KEYS[i], -5) == ':seen' then
    SEEN = KEYS[i]
  else
    POLICY = KEYS[i]
  end
end
local KEEP_S = 7 * 24 * 60 * 60
local AHEAD_US = 24 * 60 * 60 * 1000000
local EXACT = 9007199254740992
local CLIENTS_MAX, ENTRIES_MAX = tonumber(ARGV[#ARGV - 5]), tonumber(ARGV[#ARGV - 4])
-- How much of the directory one call reads, fields; about 1 ms.
local PAGE = 512
-- Most client ids that one call forgets, more than a page has: a lowered limit must not block Redis.
local FORGET_MAX = 4 * PAGE

-- A key of another type is named, and nothing is begun.
local first_reads = { { 'GET', VER }, { 'HLEN', DIR }, { 'HLEN', POLICY }, { 'ZCARD', SEEN } }
local first_answers = {}
for i, read in ipairs(first_reads) do
  local said = read[2] and redis.pcall(read[1], read[2])
  if type(said) == 'table' and string.find(said.err, '^WRONGTYPE') then
    return redis.error_reply('WRONGKEY ' .. read[2])
  end
  first_answers[i] = said
end

local function text(number)
  return string.format('%.0f', number)
end

local now, now_us = ARGV[#ARGV], nil
if now == '0' then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
  now = text(math.floor(now_us / 1000))
else
  now_us = now * 1000
end

-- What changed so far, as lines of the event.
local changes = {}

-- A number that is too far ahead of the clock is no time: nothing could come after it. One that the
-- asker saw is cut; one that is stored is repaired, and every replica reads anew, as none has the
-- number 1.
local latest = now_us + AHEAD_US
local prev = tonumber(first_answers[1] or 0)
if not prev or not (prev >= 0 and prev <= latest + AHEAD_US) then
  prev = 1
  changes[1] = 'r'
end
local known = math.min(tonumber(ARGV[#ARGV - 1]), latest)
local ver = math.max(prev + 1, known + 1, now_us)

-- The words "a b c" as a set.
local function set(words)
  local members = {}
  for word in string.gmatch(words, '%S+') do
    members[word] = true
  end
  return members
end

-- A bot's record, nil if there is none or none that can be read.
local function bot(id)
  local line = redis.call('HGET', DIR, 'b:' .. id)
  if not line then
    return nil
  end
  local epoch, since, boot, conn, meta = string.match(line, '^(%d+) (%d+) (%S+) (%S+) (.*)$')
  if not epoch or tonumber(epoch) > EXACT then
    return nil
  end
  return { epoch = epoch, since = since, boot = boot, conn = conn, meta = meta }
end

-- Writes a field of the directory, unless it is so already.
local function put(field, value)
  if redis.call('HGET', DIR, field) ~= value then
    redis.call('HSET', DIR, field, value)
    changes[#changes + 1] = field .. '\t' .. value
  end
end

-- Takes a field out of the directory. False: it was not there.
local function drop(field)
  local dropped = redis.call('HDEL', DIR, field) == 1
  if dropped then
    changes[#changes + 1] = field
  end
  return dropped
end

local function put_bot(id, record)
  local words = { record.epoch, record.since, record.boot, record.conn, record.meta }
  put('b:' .. id, table.concat(words, ' '))
end

-- Ends a bot's home; the bot stays listed.
local function release_bot(id, record)
  record.boot, record.conn, record.since = '-', '-', now
  put_bot(id, record)
end

-- Whether the directory takes no further bot or connection. One of its fields is `born`.
local function is_full()
  return math.max(redis.call('HLEN', DIR) - 1, 0) >= ENTRIES_MAX
end

-- Client ids that this step forgot, as fields.
local forgotten = {}

-- Forgets the least recently seen client ids, until there are at most so many.
local function forget_clients(most)
  local over = math.min(redis.call('ZCARD', SEEN) - most, FORGET_MAX)
  if over > 0 then
    local gone = redis.call('ZPOPMIN', SEEN, over)
    for i = 1, #gone, 2 do
      forgotten['s:' .. gone[i]] = true
    end
  end
end

-- A client id is gone from a node; told even if the time is the same. A new one takes the place of
-- the least recently seen. Its end is no event: every node bounds its own replica.
local function see(client)
  local field = 's:' .. client
  if not redis.call('ZSCORE', SEEN, client) then
    forget_clients(math.max(CLIENTS_MAX - 1, 0))
    if CLIENTS_MAX == 0 then
      return
    end
  end
  redis.call('ZADD', SEEN, now, client)
  redis.call('EXPIRE', SEEN, KEEP_S)
  forgotten[field] = nil
  changes[#changes + 1] = field .. '\t' .. now
end

-- The key generation, "1" if the tenant is suspended, and what is assigned to it, '' if nothing is.
local function policy()
  local stored = redis.call('HMGET', POLICY, 'generation', 'suspended', 'assigned')
  return stored[1] or '0', stored[2] or '0', stored[3] or ''
end

local function set_policy(generation, suspended, assigned)
  local was_generation, was_suspended, was_assigned = policy()
  if generation ~= was_generation or suspended ~= was_suspended or assigned ~= was_assigned then
    redis.call('HSET', POLICY, 'generation', generation, 'suspended', suspended, 'assigned', assigned)
    local line = 'p\t' .. generation .. ' ' .. suspended
    changes[#changes + 1] = assigned == '' and line or line .. ' ' .. assigned
  end
  return { generation, suspended, assigned }
end

-- Releases what the nodes in the set hold: bots first, then connections, each in id order. `all`:
-- the directory's fields and values in turn.
local function reap(dead, all)
  if not next(dead) then
    return
  end
  local bots, conns, clients = {}, {}, {}
  for i = 1, #all, 2 do
    local kind = string.sub(all[i], 1, 2)
    if kind == 'b:' and dead[string.match(all[i + 1], '^%d+ %d+ (%S+) ')] then
      bots[#bots + 1] = string.sub(all[i], 3)
    elseif kind == 'c:' then
      local boot, client = string.match(all[i + 1], '^(%S+) (%S+)$')
      if dead[boot] then
        conns[#conns + 1], clients[all[i]] = all[i], client
      end
    end
  end
  table.sort(bots)
  table.sort(conns)
  for _, id in ipairs(bots) do
    local held = bot(id)
    if held then
      release_bot(id, held)
    end
  end
  for _, field in ipairs(conns) do
    drop(field)
    see(clients[field])
  end
end

-- Counts the step and tells it, if anything changed.
local function finish()
  if #changes == 0 then
    return
  end
  redis.call('SET', VER, text(ver), 'EX', KEEP_S)
  redis.call('HSETNX', DIR, 'born', text(ver))
  redis.call('EXPIRE', DIR, KEEP_S)
  local head = text(prev) .. ' ' .. text(ver)
  redis.call(ARGV[#ARGV - 2], ARGV[#ARGV - 3], head .. '\n' .. table.concat(changes, '\n'))
end
