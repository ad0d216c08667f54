//! The scripts of the usage ledger.

crate::script::scripts! {
    BOOK, GROWS = "book.lua";
    READ, WHEN_FULL = "read.lua";
    SEEN, WHEN_FULL = "seen.lua";
    INDEX, GROWS = "index.lua";
    TENANTS, WHEN_FULL = "tenants.lua";
}
