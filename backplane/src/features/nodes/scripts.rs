//! The scripts of nodes.

crate::script::scripts! {
    BEAT, WHEN_FULL = "beat.lua";
    EVICT, WHEN_FULL = "evict.lua";
    HELLO, WHEN_FULL = "hello.lua";
}
