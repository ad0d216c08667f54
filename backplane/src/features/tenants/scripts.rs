//! The scripts of the list of tenants.

crate::script::scripts! {
    NOTE, WHEN_FULL = "note.lua";
    FORGET, WHEN_FULL = "forget.lua";
    LIST, WHEN_FULL = "list.lua";
}
