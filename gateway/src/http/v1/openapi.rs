//! The API for programs, as `GET /v1/openapi.json` answers it: `docs/openapi.json`, with the base path
//! of the gateway. `http/openapi.rs` writes that file.

use serde_json::{Value, json};

/// The checked-in document; `cargo xtask tidy` keeps it current.
const GENERATED: &str = include_str!("../../../../docs/openapi.json");

/// The document of a gateway with this base path, ending with a line break.
pub(crate) fn document(base_path: &str) -> String {
    if base_path.is_empty() {
        return GENERATED.to_owned();
    }
    let mut document: Value = serde_json::from_str(GENERATED).expect("a checked-in document");
    // The second one is a gateway as it starts by itself, without a base path.
    document["servers"][0]["url"] = json!(base_path);
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::http::v1::Route;

    #[test]
    fn every_route_is_described_and_every_schema_is_there() {
        let document: Value = serde_json::from_str(&document("")).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        for (path, operations) in paths {
            let route = Route::of(path).unwrap_or_else(|| panic!("{path} is no route"));
            let methods: Vec<&String> = operations.as_object().unwrap().keys().collect();
            assert_eq!(methods, [&route.method().as_str().to_ascii_lowercase()]);
            assert_eq!(route.name(), path);
            let operation = &operations[methods[0]];
            let has_body = operation["requestBody"]["required"] == true;
            assert_eq!(has_body, route.method() == Method::POST, "{path}");
        }
        // All but the document itself and what is none of them.
        assert_eq!(paths.len(), crate::metrics::ROUTES.len() - 2);
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for named in text.split("#/components/schemas/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }
}
