//! The reasons why a gateway's certificate is not accepted, worded for people.

use rustls::CertificateError as Problem;

/// What is wrong with the gateway's certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nobody that this machine trusts has signed it.
    #[error("the gateway's certificate is signed by an authority that this machine does not trust")]
    UnknownIssuer,
    /// It is for other names than that of the URL.
    #[error("the gateway's certificate is not valid for {wanted}, only for {valid}")]
    OtherName {
        /// The name in the URL.
        wanted: String,
        /// The names in the certificate.
        valid: String,
    },
    /// It is one that signs others, which is none to be presented.
    #[error(
        "the gateway's certificate is that of a certificate authority (CA:TRUE); it needs one of its own"
    )]
    OfAuthority,
    /// Its time is over.
    #[error("the gateway's certificate has expired")]
    Expired,
    /// Something else.
    #[error("the gateway's certificate is not accepted: {0}")]
    Other(String),
}

impl From<&Problem> for CertificateError {
    fn from(problem: &Problem) -> Self {
        if *problem == Problem::UnknownIssuer {
            return Self::UnknownIssuer;
        }
        if let Problem::Expired | Problem::ExpiredContext { .. } = problem {
            return Self::Expired;
        }
        if let Problem::NotValidForNameContext {
            expected,
            presented,
        } = problem
        {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            return Self::OtherName {
                wanted: expected.to_str().into_owned(),
                valid: match names.is_empty() {
                    true => "none at all".to_owned(),
                    false => names.join(", "),
                },
            };
        }
        let Problem::Other(other) = problem else {
            return Self::Other(problem.to_string());
        };
        // The library that checks it has only this name for it.
        match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => Self::OfAuthority,
            word => Self::Other(word.to_owned()),
        }
    }
}

/// A name out of `DnsName("localhost")`.
fn bare(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_without_their_kind() {
        assert_eq!(bare("DnsName(\"localhost\")"), "localhost");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "IpAddress(127.0.0.1)");
    }
}
