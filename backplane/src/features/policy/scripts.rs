//! The script of the policy.

crate::script::scripts! {
    POLICY, WHEN_FULL = "../step.lua" "policy.lua";
}
