//! The scripts of nodes.

crate::script::scripts! {
    BEAT, WHEN_FULL = "beat.lua";
    BURY, WHEN_FULL = "bury.lua";
    HELLO, WHEN_FULL = "hello.lua";
}
