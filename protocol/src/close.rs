//! The one table of WebSocket close codes that the gateway sends.

use crate::error::Since;

macro_rules! close_codes {
    ($( $variant:ident $code:literal $reason:literal $since:expr, $means:literal, $client:literal; )*) => {
        /// Why the gateway ends a socket.
        ///
        /// Wire form: [`code`](Self::code) and [`reason`](Self::reason) in the close frame. Source:
        /// RFC 6455 §7.4; 4400-4499 are the product's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CloseCode {
            $( #[doc = $means] $variant, )*
        }

        impl CloseCode {
            /// Every row, in the table's order.
            pub const ALL: &'static [CloseCode] = &[ $( CloseCode::$variant, )* ];

            /// The number on the wire.
            pub const fn code(self) -> u16 {
                match self { $( CloseCode::$variant => $code, )* }
            }

            /// The short text on the wire and in metrics; at most 123 bytes.
            pub const fn reason(self) -> &'static str {
                match self { $( CloseCode::$variant => $reason, )* }
            }

            /// What it means, for the documents.
            pub const fn means(self) -> &'static str {
                match self { $( CloseCode::$variant => $means, )* }
            }

            /// What the client should do, for the documents.
            pub const fn client_should(self) -> &'static str {
                match self { $( CloseCode::$variant => $client, )* }
            }

            /// Whether this version says it.
            pub const fn since(self) -> Since {
                match self { $( CloseCode::$variant => $since, )* }
            }
        }
    };
}

close_codes! {
    Done            1000 "done"              Since::Now, "the gateway answers the client's own close", "nothing";
    GoingAway       1001 "going_away"        Since::Reserved("drain"), "the gateway shuts down", "nothing";
    ProtocolError   1002 "protocol_error"    Since::Now, "a frame without a mask, reserved bits, a message that starts within another, a control frame that is too long", "not repeat it";
    Unsupported     1003 "unsupported"       Since::Now, "a binary message", "not repeat it";
    InvalidUtf8     1007 "invalid_utf8"      Since::Now, "text that is not UTF-8", "not repeat it";
    PolicyViolation 1008 "bad_frames"        Since::Now, "20 frames in a row that get an error of code 400; ten times `control_per_second` control frames in a second; before `auth_ok`: more than `control_per_second` control frames in a second, or 1,000 refusals and pongs in 10 s (see [What requests cost](#what-requests-cost))", "fix its frames";
    TooBig          1009 "too_big"           Since::Now, "a frame or message that is too large", "not repeat it";
    Internal        1011 "internal"          Since::Now, "an internal error of the gateway", "reconnect with backoff";
    Restart         1012 "restart"           Since::Now, "this node restarts", "reconnect after 0-5 s at random";
    TryLater        1013 "try_later"         Since::Now, "the node is overloaded, the store is not available, the tenant's connections exceed `joins_per_second`, or its monthly allowance of connection time is used up", "reconnect with backoff";
    Unauthorized    4401 "unauthorized"      Since::Now, "the credential is not valid, or it was revoked", "stop";
    TokenExpired    4402 "token_expired"     Since::Now, "the token expired", "renew the token, then reconnect";
    Suspended       4403 "tenant_suspended"  Since::Now, "the tenant is suspended", "stop";
    SlowConsumer    4408 "slow_consumer"     Since::Now, "the peer read nothing for 10 s; its outbound queue was full for 10 s, or had no room for an answer; or memory ran short", "reconnect";
    Replaced        4409 "replaced"          Since::Now, "another connection took over the last bot of this one", "not register that bot again automatically";
    Timeout         4410 "timeout"           Since::Now, "no heartbeat in time, or no credential in time", "reconnect";
    TooManyRefusals 4429 "too_many_refusals" Since::Now, "too many credentials failed; or the socket caused 1,000 refusals and pongs in 10 s; or all sockets of the tenant caused 2,000 of them in a second, and this one more than 10 in 10 s; or an unpaid frame would wait more than a second, or there is no memory to hold it (see [What requests cost](#what-requests-cost))", "reconnect after the `retryAfterMs` of the last error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_a_close_frame() {
        for close in CloseCode::ALL {
            assert!(close.reason().len() <= 123);
        }
    }
}
