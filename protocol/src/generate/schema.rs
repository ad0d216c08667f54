//! The JSON Schema of the frames.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::error::ErrorCode;
use crate::t2b::frames::{ClientFrame, ServerFrame};

/// The JSON Schema (2020-12) of every frame; `$defs` has `ClientFrame`, `ServerFrame`, `ErrorCode`.
pub(crate) fn json_schema() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
