//! One listed bot: where it is at home, and what is known of it.

use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use protocol::Shared;
use protocol::presence::BotInfo;
use smol_str::SmolStr;

use super::flaps::TakeoverHistory;
use crate::ids::ConnKey;
use crate::store::{BotHolder, BotRecord};

/// Where a bot is at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tenant) enum Home {
    Here(ConnKey),
    There(Box<BotHolder>),
}

/// A listed bot. A message asks for its home alone, so that what else is known of it is apart.
#[derive(Debug)]
pub(in crate::tenant) struct Bot {
    pub home: Option<Home>,
    pub details: Box<BotDetails>,
}

/// What is known of a bot.
#[derive(Debug)]
pub(in crate::tenant) struct BotDetails {
    pub info: ListedBot,
    pub epoch: u64,
    pub instance: Option<SmolStr>,
    pub takeovers: TakeoverHistory,
}

impl Bot {
    /// The connection of this node that holds it.
    pub fn here(&self) -> Option<ConnKey> {
        match self.home {
            Some(Home::Here(conn)) => Some(conn),
            Some(Home::There(_)) | None => None,
        }
    }

    /// The connection of another node that holds it.
    pub fn there(&self) -> Option<&BotHolder> {
        match &self.home {
            Some(Home::There(holder)) => Some(holder),
            Some(Home::Here(_)) | None => None,
        }
    }

    /// Whether a claim is of the process that made the last one: its restart is no contest.
    pub fn is_same_instance(&self, instance: Option<&SmolStr>) -> bool {
        instance.is_some() && self.details.instance.as_ref() == instance
    }

    /// Whether another process than its present one takes it with a claim.
    pub fn is_contested_by(&self, epoch: u64, instance: Option<&SmolStr>) -> bool {
        let is_other_claim = self.home.is_some() && self.details.epoch != epoch;
        is_other_claim && !self.is_same_instance(instance)
    }

    /// What the store is told of it, with this home.
    pub fn record(&self, holder: BotHolder) -> BotRecord {
        BotRecord {
            info: self.details.info.clone(),
            holder: Some(holder),
            epoch: self.details.epoch,
            instance: self.details.instance.clone(),
        }
    }
}

/// A bot as others see it, and how long that is once somebody has asked. Whoever changes it makes both
/// anew.
#[derive(Debug)]
pub(in crate::tenant) struct ListedBot {
    info: Arc<Shared<BotInfo>>,
    bytes: OnceCell<usize>,
}

impl ListedBot {
    /// How long it is when it is written, bytes.
    pub fn bytes(&self) -> usize {
        *self.bytes.get_or_init(|| self.info.written_bytes())
    }

    /// What a page has of it.
    pub fn shared(&self) -> Arc<Shared<BotInfo>> {
        Arc::clone(&self.info)
    }

    pub fn into_info(self) -> BotInfo {
        Arc::unwrap_or_clone(self.info).into_inner()
    }
}

impl From<BotInfo> for ListedBot {
    fn from(info: BotInfo) -> Self {
        Self {
            info: Arc::new(Shared::new(info)),
            bytes: OnceCell::new(),
        }
    }
}

impl Deref for ListedBot {
    type Target = BotInfo;

    fn deref(&self) -> &BotInfo {
        &self.info
    }
}

impl DerefMut for ListedBot {
    fn deref_mut(&mut self) -> &mut BotInfo {
        self.bytes.take();
        Arc::make_mut(&mut self.info).get_mut()
    }
}
