//! Which customer of the receiver a user is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use protocol::TenantId;

use super::rules::ReceiverRules;
use crate::failure::CommandFailure;

/// The first line of the file.
const HEAD: &str = "user,customer";
/// Most bytes of the file: a million users, with some room.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// Most characters of a customer's id: more than any receiver takes.
const CUSTOMER_CHARS_MAX: usize = 256;

/// The customers of users.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CustomerMap {
    /// Each user's own id.
    Same,
    /// As the file says.
    Listed(BTreeMap<TenantId, String>),
}

impl CustomerMap {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    ///
    /// Exit 64: the receiver needs a file and there is none, or a line is wrong, which is named.
    pub(super) fn load(path: Option<&Path>, rules: &ReceiverRules) -> Result<Self, CommandFailure> {
        let wrong = |text: String| CommandFailure::usage("customers", text);
        let Some(path) = path else {
            if rules.takes_user_ids {
                return Ok(Self::Same);
            }
            let text = "this receiver does not know users by their own ids: give --customers FILE";
            return Err(wrong(text.to_owned()));
        };
        if !rules.takes_requests() {
            let text = "--customers: csv and ndjson have no customer";
            return Err(wrong(text.to_owned()));
        }
        let shown = path.display();
        let text = read(path).map_err(|error| wrong(format!("{shown}: {error}")))?;
        parse(&text)
            .map(Self::Listed)
            .map_err(|(line, rule)| wrong(format!("{shown}:{line}: {rule}")))
    }

    /// The customer of a user. `None`: the file does not have the user.
    pub(super) fn of(&self, user: &TenantId) -> Option<String> {
        match self {
            Self::Same => Some(user.to_string()),
            Self::Listed(customers) => customers.get(user).cloned(),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("has more than 128 MiB"));
    }
    Ok(text)
}

/// Errors: the number of a line, and the rule that it breaks.
fn parse(text: &str) -> Result<BTreeMap<TenantId, String>, (usize, &'static str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, head)| head != HEAD) {
        return Err((1, "the first line must be `user,customer`"));
    }
    let mut customers = BTreeMap::new();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let at = index + 1;
        let Some((user, customer)) = line.split_once(',') else {
            return Err((at, "expected `user,customer`"));
        };
        let user = TenantId::parse(user).map_err(|_| (at, "the user is not a user id"))?;
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"\",".contains(c);
        let length = customer.chars().count();
        if !(1..=CUSTOMER_CHARS_MAX).contains(&length) || !customer.chars().all(is_plain) {
            let rule = "the customer must be 1 to 256 characters without spaces, commas and quotes";
            return Err((at, rule));
        }
        if customers.insert(user, customer.to_owned()).is_some() {
            return Err((at, "the user is in the file twice"));
        }
    }
    Ok(customers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_maps_users() {
        let customers = parse("user,customer\r\nalice,cus_1\r\n\r\nbob.b,sub-2\n").unwrap();
        let map = CustomerMap::Listed(customers);
        let of = |user: &str| map.of(&TenantId::parse(user).unwrap());
        assert_eq!(of("alice").as_deref(), Some("cus_1"));
        assert_eq!(of("bob.b").as_deref(), Some("sub-2"));
        assert_eq!(of("carol"), None);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, line) in [
            ("", 1),
            ("alice,cus_1\n", 1),
            ("user,customer\nalice\n", 2),
            ("user,customer\nal ice,cus_1\n", 2),
            ("user,customer\nalice,\n", 2),
            ("user,customer\nalice,cus 1\n", 2),
            ("user,customer\nalice,a,b\n", 2),
            ("user,customer\nalice,a\nalice,b\n", 3),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text:?}");
        }
        let long = format!("user,customer\nalice,{}\n", "c".repeat(257));
        assert_eq!(parse(&long).unwrap_err().0, 2);
        parse(&long.replace("cc\n", "c\n")).unwrap();
    }
}
