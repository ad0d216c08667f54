//! The words of the wire for those who do not read Rust: JSON Schema, TypeScript, Markdown.
//!
//! Pure functions from the types and tables to text; `cargo xtask generate` writes the files, a
//! test keeps them current. Not a source of truth: change the types, then generate.

use std::collections::BTreeMap;
use std::fmt::Write;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use ts_rs::{Config, TS, TypeVisitor};

use crate::close::CloseCode;
use crate::error::{ErrorCode, Since};
use crate::frame::{BodyMembers, ClientFrame, ServerFrame};
use crate::limits::{self, Limits};
use crate::rule::Rule;

/// The generated files: path from the root of the repository, and content.
pub fn files() -> [(&'static str, String); 3] {
    [
        ("protocol/schema/t2b.schema.json", json_schema()),
        ("sdk/typescript/src/protocol.ts", typescript()),
        // The plugin is installed by itself: it cannot reach into the SDK.
        ("openclaw-plugin/src/protocol.ts", typescript()),
    ]
}

/// The JSON Schema (2020-12) of every frame; `$defs` has `ClientFrame`, `ServerFrame`, `ErrorCode`.
pub fn json_schema() -> String {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let client = generator.subschema_for::<ClientFrame>();
    let server = generator.subschema_for::<ServerFrame>();
    generator.subschema_for::<ErrorCode>();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frames of the T2B dialect",
        "anyOf": [client, server],
        "$defs": Value::Object(generator.take_definitions(true)),
    });
    let schema = with_plain_enums(schema);
    format!("{schema:#}\n")
}

/// The same schema with each `oneOf` of constant texts written as one `enum`, which generators of
/// code know as such. What was said of each text goes to the description.
pub fn with_plain_enums(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(members) => {
            for value in members.values_mut() {
                *value = with_plain_enums(value.take());
            }
            let texts = members.get("oneOf").and_then(constants_of);
            if let Some((texts, words)) = texts {
                members.remove("oneOf");
                let said = members.get("description").and_then(Value::as_str);
                let said = said.map(|said| format!("{said}\n\n")).unwrap_or_default();
                members.insert("description".to_owned(), json!(said + &words));
                members.insert("type".to_owned(), json!("string"));
                members.insert("enum".to_owned(), texts);
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = with_plain_enums(item.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}

/// The texts of a `oneOf` that has nothing but constant texts, and a line about each.
fn constants_of(one_of: &Value) -> Option<(Value, String)> {
    let mut texts = Vec::new();
    let mut words = Vec::new();
    for case in one_of.as_array()? {
        let text = case.get("const")?.as_str()?;
        let about = case.get("description").and_then(Value::as_str);
        words.push(format!("- `{text}`: {}", about.unwrap_or_default()));
        texts.push(json!(text));
    }
    Some((Value::Array(texts), words.join("\n")))
}

/// The TypeScript types of every frame, and the tables of errors, closes and limits as objects.
pub fn typescript() -> String {
    let mut types = Types {
        config: Config::new().with_large_int("number"),
        found: BTreeMap::new(),
    };
    types.visit::<ClientFrame>();
    types.visit::<ServerFrame>();
    types.visit::<BodyMembers>();
    types.visit::<ErrorCode>();

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

/// The tables of `docs/protocol.md`, each ending with a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// One row per [`ErrorCode`].
    pub errors: String,
    /// One row per [`Rule`].
    pub rules: String,
    /// One row per [`CloseCode`].
    pub closes: String,
    /// The constants of [`limits`], then the fields of [`Limits`] with their defaults.
    pub limits: String,
}

/// The tables of errors, closes and limits as Markdown.
pub fn markdown_tables() -> Tables {
    let errors = ErrorCode::ALL.iter().map(|code| {
        [
            format!("`{}`", code.reason()),
            code.status().to_string(),
            if code.retryable() { "yes" } else { "no" }.to_owned(),
            code.text().to_owned(),
            since(code.since()),
        ]
    });
    let rules = Rule::ALL
        .iter()
        .map(|rule| [format!("`{}`", rule.field()), rule.text().to_owned()]);
    let closes = CloseCode::ALL.iter().map(|close| {
        [
            close.code().to_string(),
            format!("`{}`", close.reason()),
            close.means().to_owned(),
            close.client_should().to_owned(),
            since(close.since()),
        ]
    });
    let limits = limits::constants()
        .into_iter()
        .chain(Limits::table())
        .map(|(name, value, means)| [format!("`{name}`"), value.to_string(), means.to_owned()]);
    Tables {
        errors: markdown(["reason", "code", "retry", "message", "since"], errors),
        rules: markdown(["field", "rule"], rules),
        closes: markdown(
            ["close", "reason", "means", "client should", "since"],
            closes,
        ),
        limits: markdown(["limit", "value", "means"], limits),
    }
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

fn since(since: Since) -> String {
    match since {
        Since::Now => "now".to_owned(),
        Since::Reserved(part) => format!("later: {part}"),
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

fn markdown<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut out = line(&head.map(str::to_owned));
    out.push_str(&line(&head.map(|_| "---".to_owned())));
    out.extend(rows.map(|row| line(&row)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_camel_case() {
        assert_eq!(camel_case("NESTING_MAX"), "nestingMax");
        assert_eq!(camel_case("frame_bytes"), "frameBytes");
    }

    #[test]
    fn constant_texts_become_an_enum_and_nothing_else_does() {
        let schema = json!({"a": {"description": "A.", "oneOf": [
            {"const": "x", "type": "string", "description": "Ex."},
            {"const": "y", "type": "string"},
        ]}});
        let a = json!({"description": "A.\n\n- `x`: Ex.\n- `y`: ", "type": "string", "enum": ["x", "y"]});
        assert_eq!(with_plain_enums(schema)["a"], a);
        let other = json!({"oneOf": [{"const": "x"}, {"type": "object"}]});
        assert_eq!(with_plain_enums(other.clone()), other);
    }

    #[test]
    fn tables_have_every_row() {
        let tables = markdown_tables();
        assert_eq!(tables.rules.lines().count(), Rule::ALL.len() + 2);
        assert_eq!(tables.errors.lines().count(), ErrorCode::ALL.len() + 2);
        assert_eq!(tables.closes.lines().count(), CloseCode::ALL.len() + 2);
        assert!(
            tables
                .limits
                .contains("| `NESTING_MAX` | 64 | Deepest nesting")
        );
        assert!(
            tables
                .limits
                .contains("| `frame_bytes` | 262144 | Largest message")
        );
    }
}
