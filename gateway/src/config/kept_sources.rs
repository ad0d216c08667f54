//! What a configuration was made from, kept to read it again.

use std::fmt;
use std::sync::Arc;

use super::sources::{ConfigPurpose, ConfigSources};

/// The sources of a configuration. The flags and the environment are those of the start; files are read again.
#[derive(Clone)]
pub(crate) struct KeptSources(Arc<ConfigSources>);

impl KeptSources {
    pub(super) fn new(sources: &ConfigSources) -> Self {
        Self(Arc::new(sources.clone()))
    }

    /// The sources, for a gateway that runs and reads its configuration again: nothing is made.
    pub(crate) fn again(&self) -> ConfigSources {
        ConfigSources {
            purpose: ConfigPurpose::Reload,
            ..ConfigSources::clone(&self.0)
        }
    }
}

/// They hold credentials.
impl fmt::Debug for KeptSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSources")
    }
}
