//! Who may do what: the one table of authority, and the only maker of [`Permit`]s.
//!
//! | action | API key | token `chat` | token `bot` |
//! | --- | --- | --- | --- |
//! | send | to any name of the tenant | to bots it may see | to clients and connections, as one of its bots |
//! | register, unregister | yes | `forbidden_scope` | ids in `bots` |
//! | speak as a bot | yes | `forbidden_scope` | ids in `bots` |
//! | list, subscribe, presence | all | `bots` (absent = all) | `bots` |
//! | list connections | yes | `forbidden_scope` | `forbidden_scope` |
//! | issue tokens | yes | `forbidden_scope` | `forbidden_scope` |
//!
//! [`auth`](crate::auth) makes a [`Grant`] of a credential; a session asks [`authorize`] for every
//! single request; a tenant asks [`may_see`] and [`may_address`] for the names it resolves.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::lane::KeyId;
use protocol::{BotId, ClientId, ErrorCode, Kind, Name, TenantId};

use crate::env::Millis;
use crate::ids::ConnKey;

/// What kind of credential was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// An API key: the owner, or a bot's process.
    Key,
    /// A client token of scope `chat`: a phone or browser.
    Chat,
    /// A client token of scope `bot`: a process that may hold some bots.
    Bot,
}

/// What a verified credential says of its bearer. Only [`auth`](crate::auth) makes one.
///
/// In this order: what every message asks of it is in front.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct Grant {
    pub(crate) scope: Scope,
    /// Names the secret that verified it.
    pub(crate) secret: KeyId,
    /// A token's; a key has none. Apart, since two copies of a grant lie with each socket.
    pub(crate) terms: Option<Arc<TokenTerms>>,
    pub(crate) tenant: TenantId,
    pub(crate) generation: u64,
}

/// What a token says that a key does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenTerms {
    pub(crate) bots: Option<BTreeSet<BotId>>,
    pub(crate) client: ClientId,
    pub(crate) expires_ms: Millis,
}

impl Grant {
    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// When the socket must be closed, Unix milliseconds, if the credential ends.
    pub fn expires_ms(&self) -> Option<Millis> {
        self.terms.as_ref().map(|terms| terms.expires_ms)
    }

    /// The client id that it is for, if it is for one.
    pub(crate) fn client(&self) -> Option<&ClientId> {
        self.terms.as_ref().map(|terms| &terms.client)
    }

    /// The bots that it is for; absent: all.
    fn bots(&self) -> Option<&BTreeSet<BotId>> {
        self.terms.as_ref()?.bots.as_ref()
    }

    /// The key generation it was made under.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// What a session wants to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action<'a> {
    /// Send a frame of the message family; `from` as the frame gives it.
    Send {
        /// The sender that the frame names.
        from: Option<&'a Name>,
        /// The connection's own client id.
        own: &'a ClientId,
    },
    /// Register or unregister a bot.
    Hold(&'a BotId),
    /// List bots, subscribe, ask for a status.
    Look,
    /// See the tenant's connections.
    Survey,
    /// Make a client token.
    Issue,
}

/// The right to do one thing, once. There is no other way to reach a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permit {
    tenant: TenantId,
    conn: ConnKey,
}

impl Permit {
    /// The tenant, copied from the grant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The connection that asks.
    pub fn conn(&self) -> ConnKey {
        self.conn
    }

    /// Both, for what is done with it.
    pub(crate) fn spend(self) -> (TenantId, ConnKey) {
        (self.tenant, self.conn)
    }
}

/// Decides on one request. Errors: `forbidden_scope`; `missing_field` for a `bot` token's send
/// without `from`.
pub(crate) fn authorize(
    grant: &Grant,
    conn: ConnKey,
    action: Action<'_>,
) -> Result<Permit, ErrorCode> {
    let allowed = match (grant.scope, action) {
        (Scope::Key, _) | (_, Action::Look) => Ok(()),
        (Scope::Chat, Action::Send { from, own }) => match from {
            Some(from) if from.as_str() != own.as_str() => Err(ErrorCode::ForbiddenScope),
            Some(_) | None => Ok(()),
        },
        (Scope::Bot, Action::Send { from, .. }) => match from {
            None => Err(ErrorCode::MissingField),
            Some(from) if names_bot_of(grant, from.as_str()) => Ok(()),
            Some(_) => Err(ErrorCode::ForbiddenScope),
        },
        (Scope::Chat, Action::Hold(_))
        | (Scope::Chat | Scope::Bot, Action::Survey | Action::Issue) => {
            Err(ErrorCode::ForbiddenScope)
        }
        (Scope::Bot, Action::Hold(bot)) => {
            if names_bot_of(grant, bot.as_str()) {
                Ok(())
            } else {
                Err(ErrorCode::ForbiddenScope)
            }
        }
    };
    allowed.map(|()| Permit {
        tenant: grant.tenant.clone(),
        conn,
    })
}

/// Whether the bearer may know that a bot exists: for sends, lists and presence alike.
pub(crate) fn may_see(grant: &Grant, bot: &BotId) -> bool {
    grant.bots().is_none_or(|bots| bots.contains(bot))
}

/// Whether the bearer may send to a name that the tenant resolved to this kind.
pub(crate) fn may_address(grant: &Grant, kind: Kind, name: &Name) -> bool {
    match (grant.scope, kind) {
        (Scope::Key, Kind::Bot | Kind::Client | Kind::Connection) => true,
        (Scope::Chat, Kind::Bot) => {
            let bots = grant.bots();
            bots.is_none_or(|bots| bots.contains(name.as_str()))
        }
        (Scope::Chat, Kind::Client | Kind::Connection) | (Scope::Bot, Kind::Bot) => false,
        (Scope::Bot, Kind::Client | Kind::Connection) => true,
    }
}

fn names_bot_of(grant: &Grant, name: &str) -> bool {
    grant.bots().is_some_and(|bots| bots.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scope: Scope, bots: Option<&[&str]>) -> Grant {
        let bots = bots.map(|ids| ids.iter().map(|id| BotId::parse(id).unwrap()).collect());
        let terms = TokenTerms {
            bots,
            client: ClientId::parse("phone").unwrap(),
            expires_ms: 1,
        };
        let tenant = TenantId::parse("alice").unwrap();
        Grant {
            tenant,
            scope,
            secret: KeyId::from_bits(0),
            generation: 0,
            terms: (scope != Scope::Key).then(|| Arc::new(terms)),
        }
    }

    fn send(grant: &Grant, from: Option<&str>) -> Result<(), ErrorCode> {
        let from = from.map(|name| Name::parse(name).unwrap());
        let own = ClientId::parse("phone").unwrap();
        authorize(
            grant,
            ConnKey(1),
            Action::Send {
                from: from.as_ref(),
                own: &own,
            },
        )
        .map(|_| ())
    }

    #[test]
    fn the_table_row_by_row() {
        let bot = BotId::parse("bot_a").unwrap();
        let (key, chat) = (grant(Scope::Key, None), grant(Scope::Chat, None));
        let of_a = grant(Scope::Bot, Some(&["bot_a"]));
        let of_b = grant(Scope::Bot, Some(&["bot_b"]));
        let hold = |grant| authorize(grant, ConnKey(1), Action::Hold(&bot)).map(|_| ());

        assert_eq!(hold(&key), Ok(()));
        assert_eq!(hold(&chat), Err(ErrorCode::ForbiddenScope));
        assert_eq!(hold(&of_a), Ok(()));
        assert_eq!(hold(&of_b), Err(ErrorCode::ForbiddenScope));

        let issue = |grant| authorize(grant, ConnKey(1), Action::Issue).map(|_| ());
        assert_eq!(issue(&key), Ok(()));
        assert_eq!(issue(&chat), Err(ErrorCode::ForbiddenScope));
        assert_eq!(issue(&of_a), Err(ErrorCode::ForbiddenScope));

        let survey = |grant| authorize(grant, ConnKey(1), Action::Survey).map(|_| ());
        assert_eq!(survey(&key), Ok(()));
        assert_eq!(survey(&chat), Err(ErrorCode::ForbiddenScope));
        assert_eq!(survey(&of_a), Err(ErrorCode::ForbiddenScope));

        assert_eq!(send(&key, Some("bot_a")), Ok(()));
        assert_eq!(send(&chat, None), Ok(()));
        assert_eq!(send(&chat, Some("phone")), Ok(()));
        assert_eq!(send(&chat, Some("bot_a")), Err(ErrorCode::ForbiddenScope));
        assert_eq!(send(&of_a, Some("bot_a")), Ok(()));
        assert_eq!(send(&of_a, None), Err(ErrorCode::MissingField));
        assert_eq!(send(&of_a, Some("bot_b")), Err(ErrorCode::ForbiddenScope));

        let name = Name::from(bot.clone());
        assert!(may_address(&key, Kind::Client, &name));
        assert!(may_address(&chat, Kind::Bot, &name));
        assert!(!may_address(&chat, Kind::Client, &name));
        assert!(!may_address(
            &grant(Scope::Chat, Some(&["bot_b"])),
            Kind::Bot,
            &name
        ));
        assert!(!may_address(&of_a, Kind::Bot, &name));
        assert!(may_address(&of_a, Kind::Connection, &name));
        assert!(may_see(&chat, &bot) && may_see(&of_a, &bot) && !may_see(&of_b, &bot));
    }
}
