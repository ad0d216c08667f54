//! The TypeScript types of the frames, and the tables as objects.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};
use ts_rs::{Config, TS, TypeVisitor};

use super::tables::since;
use crate::close::CloseCode;
use crate::error::ErrorCode;
use crate::limits::{self, Limits};
use crate::t2b::frames::{BodyMembers, ClientFrame, ServerFrame};
use crate::usage::UsageMeter;

/// The TypeScript types of every frame, and the tables of errors, closes and limits as objects.
pub(crate) fn typescript() -> String {
    let mut types = Types {
        config: Config::new().with_large_int("number"),
        found: BTreeMap::new(),
    };
    types.visit::<ClientFrame>();
    types.visit::<ServerFrame>();
    types.visit::<BodyMembers>();
    types.visit::<ErrorCode>();
    types.visit::<UsageMeter>();

    let mut out = String::from(
        "// Generated from the Rust crate `protocol` by `cargo xtask generate`. Do not edit.\n",
    );
    for text in types.found.values() {
        out.push('\n');
        out.push_str(text);
    }
    let errors = ErrorCode::ALL.iter().map(|code| {
        let row = json!({
            "code": code.status(),
            "retryable": code.retryable(),
            "message": code.text(),
            "since": since(code.since()),
        });
        (code.reason().to_owned(), row)
    });
    let closes = CloseCode::ALL.iter().map(|close| {
        let row = json!({
            "reason": close.reason(),
            "means": close.means(),
            "clientShould": close.client_should(),
            "since": since(close.since()),
        });
        (close.code().to_string(), row)
    });
    let numbers = |table: Vec<(&'static str, u64, &'static str)>| {
        table
            .into_iter()
            .map(|(name, value, _)| (camel_case(name), json!(value)))
    };
    object(
        &mut out,
        "ERRORS",
        "Every `data.reason` of an `error`.",
        errors,
    );
    object(&mut out, "CLOSES", "Every close code.", closes);
    let constants = numbers(limits::constants());
    object(
        &mut out,
        "LIMITS",
        "The limits that are the same everywhere.",
        constants,
    );
    let defaults = numbers(Limits::table());
    object(
        &mut out,
        "LIMIT_DEFAULTS",
        "The limits that an operator may change.",
        defaults,
    );
    out.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Gathers the declarations of a type and of all it mentions, by name.
struct Types {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        // Only derived types have a file of their own; the others are TypeScript's.
        if T::output_path().is_none() || self.found.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        let declaration = T::decl(&self.config);
        let closed = declaration.trim_end_matches(';');
        let declaration = format!("{docs}export {closed}{};\n", rest_of(&name));
        self.found.insert(name, declaration);
        T::visit_dependencies(self);
    }
}

/// What the flattened map of a type stands for; ts-rs leaves it out.
fn rest_of(type_name: &str) -> &'static str {
    match type_name {
        "Delivered" => " & BodyMembers",
        "BodyMembers" | "SendMessage" => " & { [member: string]: unknown }",
        _ => "",
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_').map(str::to_ascii_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |mut out, word| {
        let (initial, rest) = word.split_at(1);
        out.push_str(&initial.to_ascii_uppercase());
        out.push_str(rest);
        out
    })
}

fn object(out: &mut String, name: &str, docs: &str, rows: impl Iterator<Item = (String, Value)>) {
    let mut text = format!("\n/** {docs} */\nexport const {name} = {{\n");
    for (key, row) in rows {
        writeln!(text, "  {key}: {row},").expect("a String takes all");
    }
    out.push_str(&text);
    out.push_str("} as const;\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_camel_case() {
        assert_eq!(camel_case("NESTING_MAX"), "nestingMax");
        assert_eq!(camel_case("frame_bytes"), "frameBytes");
    }
}
