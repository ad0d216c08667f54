//! Why an envelope was not delivered.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ErrorCode;
use crate::ids::BootId;

/// Why an envelope was not delivered. Those delivered have none.
///
/// Wire form: one text, `duplicate`, `moved:<boot id>`, `offline` or `refused:<reason>`. A text of
/// a later build reads as `refused:delivery_unknown`: an ack must not be lost over one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its message id was delivered before.
    Duplicate,
    /// The recipient is on another node.
    Moved(BootId),
    /// The recipient is on no node that the receiver knows of.
    Offline,
    /// Anything else, as the sender's client is told it.
    Refused(ErrorCode),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Duplicate => f.write_str("duplicate"),
            Verdict::Moved(holder) => write!(f, "moved:{holder}"),
            Verdict::Offline => f.write_str("offline"),
            Verdict::Refused(code) => write!(f, "refused:{code}"),
        }
    }
}

impl Verdict {
    fn read(text: &str) -> Option<Self> {
        let reason = |name: &str| {
            let mut codes = ErrorCode::ALL.iter();
            codes.find(|code| code.reason() == name).copied()
        };
        match text.split_once(':') {
            None if text == "duplicate" => Some(Verdict::Duplicate),
            None if text == "offline" => Some(Verdict::Offline),
            Some(("moved", holder)) => holder.parse().ok().map(Verdict::Moved),
            Some(("refused", name)) => reason(name).map(Verdict::Refused),
            None | Some(_) => None,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::read(&text).unwrap_or(Verdict::Refused(ErrorCode::DeliveryUnknown)))
    }
}
