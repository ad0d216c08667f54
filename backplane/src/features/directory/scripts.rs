//! The scripts of the directory, one for each query.

crate::script::scripts! {
    LOAD, WHEN_FULL = "../step.lua" "load.lua";
    VERSION, WHEN_FULL = "../step.lua" "version.lua";
    ENTER, GROWS = "../step.lua" "enter.lua";
    CLAIM, GROWS = "../step.lua" "claim.lua";
    ASSERT, WHEN_FULL = "../step.lua" "assert.lua";
    RELEASE, WHEN_FULL = "../step.lua" "release.lua";
    REAP, WHEN_FULL = "../step.lua" "reap.lua";
    FORGET, WHEN_FULL = "../step.lua" "forget.lua";
}
