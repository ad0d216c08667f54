//! How long a node takes to go away.

use std::time::Duration;

use protocol::units::parse_duration;

use super::raw::ConfigError;
use super::setting_reader::SettingReader;

/// How long the phases of a drain take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainTimes {
    /// How long the node takes new sockets after it is not ready any more.
    pub(crate) wait: Duration,
    /// Over which time it asks its sockets to move.
    pub(crate) window: Duration,
    /// After which time the process ends in any case.
    pub(crate) deadline: Duration,
}

impl DrainTimes {
    /// Errors: the deadline comes before the end of the window.
    pub(super) fn read(said: &SettingReader<'_>) -> Result<Self, ConfigError> {
        let times = Self {
            wait: said.required("drain_wait", parse_duration)?,
            window: said.required("drain_window", parse_duration)?,
            deadline: said.required("drain_deadline", parse_duration)?,
        };
        if times.deadline < times.wait + times.window {
            return Err(said.wrong("drain_deadline", "is less than drain_wait + drain_window"));
        }
        Ok(times)
    }
}
