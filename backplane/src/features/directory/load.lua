-- load: one page of a tenant, without what evicted nodes left and what is older than a day.
--
-- KEYS   dir, ver, policy, seen
-- ARGV   [1] evicted boot ids, separated by blanks; [2] how long to remember, ms; [3] "dir" or
--        "seen", and [4] the cursor there: where the page before ended, "dir" "0" at first
-- Reply  ver ("0" = none), key generation, "1" if suspended, what is assigned, `born` ("0" = none),
--        where the next page begins (both "" = nowhere), the fields and values of this page
--
-- A small tenant is one page, and so one atomic step. A large one is read in several, so that no
-- call takes long; other steps come between them. The reader takes the number of the first page
-- and applies all events above it, which end in the directory as it is: what is present from the
-- first page to the last one is returned at least once, and each change between them is an event.
-- A sweep publishes no event: every node sweeps its own replica by the clock.
-- What is no time, or one too far ahead, is swept too: it would stay for ever.
local from, cursor, oldest = ARGV[3], ARGV[4], now - tonumber(ARGV[2])
local latest_ms = now + AHEAD_US / 1000
local found, visited = {}, 0

local function keep(field, value)
  found[#found + 1] = field
  found[#found + 1] = value
end

local function is_recent(since)
  local at = tonumber(since)
  return at and at > oldest and at <= latest_ms
end

local function dir_page(fields)
  for i = 1, #fields, 2 do
    local field, value = fields[i], fields[i + 1]
    local kind = string.sub(field, 1, 2)
    local since = kind == 's:' and value or (kind == 'b:' and string.match(value, '^%d+ (%d+) %- '))
    if since and not is_recent(since) then
      redis.call('HDEL', DIR, field)
    elseif kind == 's:' then
      -- Written by an older version, which kept client ids here.
      redis.call('HDEL', DIR, field)
      redis.call('ZADD', SEEN, value, string.sub(field, 3))
      redis.call('EXPIRE', SEEN, KEEP_S)
    elseif field ~= 'born' then
      keep(field, value)
    end
  end
end

local function seen_page(members)
  for i = 1, #members, 2 do
    local client, at = members[i], tonumber(members[i + 1])
    if not is_recent(at) then
      redis.call('ZREM', SEEN, client)
    else
      keep('s:' .. client, text(at))
    end
  end
end

repeat
  local command, key, take = 'HSCAN', DIR, dir_page
  if from == 'seen' then
    command, key, take = 'ZSCAN', SEEN, seen_page
  end
  local page = redis.call(command, key, cursor, 'COUNT', PAGE)
  cursor, visited = page[1], visited + #page[2] / 2
  take(page[2])
  if cursor == '0' then
    from = from == 'dir' and 'seen' or ''
  end
until from == '' or visited >= PAGE

forget_clients(CLIENTS_MAX)
reap(set(ARGV[1]), found)
finish()

-- This page as it is after the step.
local changed, fields = {}, {}
for _, line in ipairs(changes) do
  local field, value = string.match(line, '^([^\t]+)\t?(.*)$')
  changed[field] = value
end
for i = 1, #found, 2 do
  if not changed[found[i]] and not forgotten[found[i]] then
    fields[#fields + 1] = found[i]
    fields[#fields + 1] = found[i + 1]
  end
end
for field, value in pairs(changed) do
  if value ~= '' and not forgotten[field] then
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
end
local generation, suspended, assigned = policy()
return {
  #changes > 0 and text(ver) or text(prev), generation, suspended, assigned,
  redis.call('HGET', DIR, 'born') or '0', from, from == '' and '' or cursor, fields,
}
