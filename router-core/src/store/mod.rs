//! Everything that tenants ever ask of the store, and what the answers mean.
//!
//! | feature | request and reply | meaning |
//! | --- | --- | --- |
//! | directory | `directory/{request,reply,records,event}.rs` | `directory/model/` |
//! | policy | `policy/{request,reply,record}.rs` | `policy/model.rs` |
//! | labels | `labels/{request,reply}.rs` | `labels/model.rs` |
//! | usage | `usage/{request,reply,record}.rs` | `usage/model.rs` |
//! | the list of tenants | `tenants/mod.rs` | [`Model::tenants`] |
//! | nodes, of no tenant | `nodes/mod.rs` | `nodes/model.rs` |
//!
//! [`StoreRequest`] and [`StoreReply`] have one variant for each feature, and [`Model`] has one part
//! for each: the reference meaning, pure and in memory, which is also the store of a single node. A
//! new feature adds a folder and one arm in each of these enums and in [`StoreFeature`]. Nothing here
//! knows Redis.

mod budget;
pub mod directory;
mod feature;
pub mod labels;
mod model;
pub mod nodes;
pub mod policy;
mod reply;
mod request;
pub mod tenants;
pub mod usage;

pub use directory::{
    BotClaim, BotHolder, BotRecord, ConnRecord, DirectoryCaps, DirectoryChange, DirectoryEvent,
    DirectoryQuery, DirectoryReply, DirectoryRequest, DirectorySnapshot, EntryRelease,
    EvictedNodes, Fence, HeldEntries, SeenClient,
};
pub use feature::{StoreFeature, StoreQueue};
pub use labels::{LabelsQuery, LabelsReply};
pub use model::Model;
pub use policy::{AssignedTerms, PolicyQuery, PolicyReply, PolicyRequest, TenantPolicy};
pub use reply::{StoreFailure, StoreReply, StoreResult};
pub use request::{StoreQuery, StoreRequest};
pub use usage::{HourUsage, UsageIndexQuery, UsageQuery, UsageRecord, UsageReply};
