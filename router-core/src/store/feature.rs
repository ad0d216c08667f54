//! The features of the store, and which of them share one order.

/// A feature of the store: its requests, replies, stored records and scripts are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFeature {
    /// Bots, connections and client ids of a tenant.
    Directory,
    /// Who may connect.
    Policy,
    /// What operators note about a tenant.
    Labels,
    /// What a tenant used.
    Usage,
}

macro_rules! queues {
    ($( $(#[doc = $doc:literal])+ $name:ident, )*) => {
        /// An order of requests to the store, with a share of the way to it.
        ///
        /// Requests of one tenant in one queue are executed in the order in which they are asked, and
        /// answered in that order. Requests in different queues pass each other: a queue that is slow or
        /// full delays no other queue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum StoreQueue {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl StoreQueue {
            /// Every queue, in the order of [`Self::index`].
            pub const ALL: &[Self] = &[ $( Self::$name, )* ];

            /// The queue's place in [`Self::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

queues! {
    /// The steps of directories.
    Directory,
    /// Labels.
    Labels,
    /// Usage.
    Usage,
}

impl StoreFeature {
    /// The queue that the feature's requests take.
    ///
    /// The policy shares the queue of the directory: both change the tenant's one counter, and no load
    /// or assertion that is asked after a revocation may be executed before it.
    pub const fn queue(self) -> StoreQueue {
        match self {
            Self::Directory | Self::Policy => StoreQueue::Directory,
            Self::Labels => StoreQueue::Labels,
            Self::Usage => StoreQueue::Usage,
        }
    }
}
