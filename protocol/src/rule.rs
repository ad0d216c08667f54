//! The one table of rules on members: which member is at fault, and what it must be.
//!
//! A refusal that one member is to blame for carries a [`Fault`]. Its name becomes `error.data.field`
//! and `field` of a problem, its sentence the end of `error.data.message` and `detail`. All texts are
//! constant: nothing of the request is echoed.

use crate::error::ErrorCode;

macro_rules! rules {
    ($( $variant:ident $field:literal $text:literal; )*) => {
        /// What one member must be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $( #[doc = concat!("`", $field, "` ", $text)] $variant, )*
        }

        impl Rule {
            /// Every row, in the table's order.
            pub const ALL: &'static [Rule] = &[ $( Rule::$variant, )* ];

            /// The member: of the frame or of its `data`, of a query, or a header.
            pub const fn field(self) -> &'static str {
                match self { $( Rule::$variant => $field, )* }
            }

            /// What it must be, for the end of a sentence that begins with its name.
            pub const fn text(self) -> &'static str {
                match self { $( Rule::$variant => $text, )* }
            }
        }
    };
}

rules! {
    Type            "type"           "must be the name of a frame that clients send";
    AuthOnce        "type"           "must not be `auth` a second time";
    FrameId         "id"             "must be 1 to 64 bytes of text without U+0000, or an integer of 64 bits";
    Data            "data"           "must be an object";
    Timestamp       "timestamp"      "must be given once at most";
    To              "to"             "must be 1 to 80 of [A-Za-z0-9._:-], the first a letter or a digit";
    From            "from"           "must be 1 to 80 of [A-Za-z0-9._:-], the first a letter or a digit";
    FromHeld        "from"           "must be the connection's client id, or a bot that it has registered";
    FromOfToken     "from"           "must be the token's client id, or with scope `bot` a bot of the token";
    MessageId       "messageId"      "must be 1 to 64 of [A-Za-z0-9._:-]";
    MessageIdUsed   "messageId"      "must be new if the body differs from the earlier message with this id";
    ReplyTo         "replyTo"        "must be 1 to 64 of [A-Za-z0-9._:-]";
    StreamId        "streamId"       "must be 1 to 64 of [A-Za-z0-9._:-]";
    ConnectionId    "connectionId"   "must not be repeated; the gateway ignores its value";
    Epoch           "epoch"          "must not be repeated; the gateway ignores its value";
    Offset          "offset"         "must not be repeated; the gateway ignores its value";
    Text            "text"           "must be a string";
    TextOfPartial   "text"           "must be a string of at most 65536 bytes of JSON";
    Part            "part"           "must be an integer of 1 to `parts`, and needs `parts`";
    Parts           "parts"          "must be an integer of 1 or more, and needs `part`";
    TtlMs           "ttlMs"          "must be an integer of 0 to 2^64 - 1";
    Durable         "durable"        "must be true or false";
    DurableLater    "durable"        "must not be true: this version does not store messages";
    Seq             "seq"            "must be an integer of 0 to 2^64 - 1";
    Truncated       "truncated"      "must be true or false";
    End             "end"            "must be true or false";
    Active          "active"         "must be true or false";
    BotId           "botId"          "must be 1 to 80 of [A-Za-z0-9._:-], the first a letter or a digit, not beginning with conn_";
    BotIdFree       "botId"          "must not be a known client id, and with `takeover` reject must not be a bot of another socket";
    Name            "name"           "must be a string of at most 128 bytes";
    Kind            "type"           "must be a string of at most 32 bytes";
    Capabilities    "capabilities"   "must be a list of at most 32 strings of at most 64 bytes";
    Description     "description"    "must be a string of at most 1024 bytes";
    Config          "config"         "must be at most 4096 bytes of JSON";
    Takeover        "takeover"       "must be replace or reject";
    Instance        "instance"       "must be a string of at most 64 bytes";
    Confirm         "confirm"        "must be true or false";
    ApiKey          "apiKey"         "must be a string, unless `token` is given";
    Token           "token"          "must be a string, and must not be given together with `apiKey`";
    ClientId        "clientId"       "must be 1 to 80 of [A-Za-z0-9._-], the first a letter or a digit, not beginning with conn_";
    ClientIdFree    "clientId"       "must not be the id of a bot";
    Acks            "acks"           "must be all or errors";
    Resume          "resume"         "must be an object with the integers `epoch` and `offset`";
    Limit           "limit"          "must be an integer of 1 to 1000";
    Cursor          "cursor"         "must be the nextCursor of the page before";
    RequestId       "requestId"      "must be a string of at most 64 bytes";
    StatusRequest   "request"        "must be bots, connections or full";
    WaitMs          "waitMs"         "must be an integer of 0 to 50000";
    IdempotencyKey  "Idempotency-Key" "must be 1 to 64 of [A-Za-z0-9._:-], and equal to the body's messageId if that is given";
    Client          "client"         "must be 1 to 80 of [A-Za-z0-9._-], the first a letter or a digit, not beginning with conn_";
    Bots            "bots"           "must be a list of bot ids";
    BotsOfScope     "bots"           "must be given for scope `bot`";
    Scope           "scope"          "must be [\"chat\"] or [\"bot\"]";
    TtlSeconds      "ttlSeconds"     "must be an integer of 1 to 2592000";
    UsageFrom       "from"           "must be a day like 2026-11-28, or with step hour a whole hour like 2026-11-28T09:00:00Z";
    UsageTo         "to"             "must be a time like `from`, later than it, and at most 62 days later";
    UsageStep       "step"           "must be hour or day";
    UsageMeter      "meter"          "must be the name of a meter, like messages_accepted";
    UsageTenant     "tenant"         "must be a tenant id";
    UsageOpen       "open"           "must be true or false";
    UsageCursor     "cursor"         "must be the next_cursor of a page of the same query";
    UsageQuery      "query"          "must have no other members than from, to, step, meter, open, limit, cursor and, for operators, tenant, each once";
}

impl Rule {
    /// The rule that every refusal of a code is about, if there is one.
    pub const fn implied_by(code: ErrorCode) -> Option<Rule> {
        match code {
            ErrorCode::UnknownType => Some(Rule::Type),
            ErrorCode::NotYourIdentity => Some(Rule::FromHeld),
            ErrorCode::AlreadyRegistered => Some(Rule::BotIdFree),
            ErrorCode::IdempotencyConflict => Some(Rule::MessageIdUsed),
            ErrorCode::BadFrame
            | ErrorCode::BadRequest
            | ErrorCode::MissingField
            | ErrorCode::InvalidId
            | ErrorCode::Unauthorized
            | ErrorCode::ForbiddenScope
            | ErrorCode::OriginNotAllowed
            | ErrorCode::BotNotFound
            | ErrorCode::TenantSuspended
            | ErrorCode::NotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::RequestTimeout
            | ErrorCode::TakeoverFlapping
            | ErrorCode::LeaseLost
            | ErrorCode::TooLarge
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::Misdirected
            | ErrorCode::RateLimited
            | ErrorCode::QuotaExceeded
            | ErrorCode::Internal
            | ErrorCode::NotSupported
            | ErrorCode::BotOffline
            | ErrorCode::RecipientOffline
            | ErrorCode::RecipientBusy
            | ErrorCode::Unreachable
            | ErrorCode::DeliveryUnknown
            | ErrorCode::Draining
            | ErrorCode::StoreUnavailable => None,
        }
    }
}

/// A member at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    rule: Rule,
    twice: bool,
}

impl Fault {
    /// A member that its rule is broken by, absent ones included.
    pub const fn of(rule: Rule) -> Self {
        Self { rule, twice: false }
    }

    /// A member that is given more than once.
    pub const fn twice(rule: Rule) -> Self {
        Self { rule, twice: true }
    }

    /// The member's name.
    pub const fn field(self) -> &'static str {
        self.rule.field()
    }

    /// The member and its rule as the end of a sentence.
    pub fn sentence(self) -> String {
        let text = match self.twice {
            true => "must be given once at most",
            false => self.rule.text(),
        };
        format!("`{}` {text}", self.field())
    }

    /// The fault whose sentence this is.
    pub fn told(sentence: &str) -> Option<Self> {
        let faults = |rule| [Self::of(rule), Self::twice(rule)];
        let mut faults = Rule::ALL.iter().copied().flat_map(faults);
        faults.find(|fault| fault.sentence() == sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;
    use crate::limits::{
        BOT_NAME_BYTES_MAX, BOT_TYPE_BYTES_MAX, CAPABILITIES_MAX, CAPABILITY_BYTES_MAX,
        CONFIG_BYTES_MAX, DESCRIPTION_BYTES_MAX, FRAME_ID_BYTES_MAX, INSTANCE_BYTES_MAX, LIST_MAX,
        PARTIAL_BYTES_MAX, TOKEN_TTL_MAX_S, WAIT_MS_MAX,
    };

    #[test]
    fn a_fault_is_known_by_its_sentence() {
        for rule in Rule::ALL {
            for fault in [Fault::of(*rule), Fault::twice(*rule)] {
                let told = Fault::told(&fault.sentence()).unwrap();
                assert_eq!(told.field(), fault.field());
                assert_eq!(told.sentence(), fault.sentence());
            }
        }
        assert_eq!(Fault::told("`to` must be nice"), None);
    }

    #[test]
    fn a_message_is_the_sentence_of_its_code_and_then_the_fault() {
        let fault = Fault::of(Rule::To);
        for code in ErrorCode::ALL {
            let told = Refusal::over(*code, Rule::To).message();
            let (text, sentence) = told.split_once(": ").unwrap();
            assert_eq!((text, Fault::told(sentence)), (code.text(), Some(fault)));
        }
    }

    #[test]
    fn rules_have_the_numbers_of_the_limits() {
        for (rule, limit) in [
            (Rule::FrameId, FRAME_ID_BYTES_MAX),
            (Rule::RequestId, FRAME_ID_BYTES_MAX),
            (Rule::TextOfPartial, PARTIAL_BYTES_MAX),
            (Rule::Name, BOT_NAME_BYTES_MAX),
            (Rule::Kind, BOT_TYPE_BYTES_MAX),
            (Rule::Capabilities, CAPABILITIES_MAX),
            (Rule::Capabilities, CAPABILITY_BYTES_MAX),
            (Rule::Description, DESCRIPTION_BYTES_MAX),
            (Rule::Config, CONFIG_BYTES_MAX),
            (Rule::Instance, INSTANCE_BYTES_MAX),
            (Rule::Limit, LIST_MAX as usize),
            (Rule::WaitMs, WAIT_MS_MAX as usize),
            (Rule::TtlSeconds, TOKEN_TTL_MAX_S as usize),
        ] {
            let words = rule.text().split(|c: char| !c.is_ascii_digit());
            let mut numbers = words.filter_map(|word| word.parse().ok());
            assert!(numbers.any(|number: usize| number == limit), "{rule:?}");
        }
    }
}
