-- policy: who may connect.
--
-- KEYS   dir, ver, policy
-- ARGV   [1] "revoke": the next key generation; "suspend", "resume"
-- Reply  key generation, "1" if suspended
--
-- Atomic, because two revocations at once are two generations. The policy never expires: a revoked
-- key must not come to life again.
local generation, suspended = policy()
if ARGV[1] == 'revoke' then
  generation = text(generation + 1)
else
  suspended = ARGV[1] == 'suspend' and '1' or '0'
end
local stored = set_policy(generation, suspended)
finish()
return stored
