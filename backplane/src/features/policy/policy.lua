-- policy: who may connect, and what is assigned to a tenant.
--
-- KEYS   dir, ver, policy
-- ARGV   [1] "read"; "revoke": the next key generation; "suspend", "resume"; "assign"; [2] what to
--        assign, '' if nothing
-- Reply  key generation, "1" if suspended, what is assigned
--
-- Atomic, because two revocations at once are two generations. The policy never expires: a revoked
-- key must not come to life again.
local generation, suspended, assigned = policy()
if ARGV[1] == 'revoke' then
  generation = text(generation + 1)
elseif ARGV[1] == 'assign' then
  assigned = ARGV[2]
elseif ARGV[1] ~= 'read' then
  suspended = ARGV[1] == 'suspend' and '1' or '0'
end
local stored = set_policy(generation, suspended, assigned)
finish()
return stored
