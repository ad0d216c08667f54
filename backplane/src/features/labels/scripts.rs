//! The scripts of the labels.

crate::script::scripts! {
    GET, WHEN_FULL = "get.lua";
    PUT, GROWS = "put.lua";
    REMOVE, WHEN_FULL = "remove.lua";
}
