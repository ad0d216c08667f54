//! The API for programs, as OpenAPI 3.1: its operations from the routes, its schemas
//! from the types that are on the wire. Only `cargo xtask generate` and `tidy` need it.

use protocol::generate::with_plain_enums;
use protocol::http::{BotPage, MessageAnswer, Problem, TokenIssued, UsagePage};
use protocol::presence::BotInfo;
use protocol::t2b::frames::SendMessage;
use protocol::token::TokenRequest;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::v1;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tunnels-to-Bots",
        description = "Talk with your bots without a socket. Frames, errors and limits: docs/protocol.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers(
        (url = "/", description = "The gateway that serves this document."),
        (url = "http://127.0.0.1:3000", description = "A gateway as it starts by itself."),
    ),
)]
struct Api;

/// The content of `docs/openapi.json`, ending with a line break.
pub(crate) fn generated() -> String {
    let mut api = Api::openapi();
    api.paths = v1::document().paths;
    // The document does not describe itself.
    api.paths.paths.remove("/v1/openapi.json");
    let mut document = serde_json::to_value(api).expect("the document has string keys only");
    document["components"] = json!({
        "schemas": schemas(),
        "securitySchemes": { "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, or a client token.",
        } },
    });
    if let Some(paths) = document["paths"].as_object_mut() {
        let operations = paths.values_mut().filter_map(Value::as_object_mut);
        for operation in operations.flat_map(|path| path.values_mut()) {
            operation["responses"]["default"] = refusal();
            if let Some(body) = operation.get_mut("requestBody") {
                body["required"] = Value::Bool(true);
            }
        }
    }
    let document = with_plain_enums(document);
    format!("{document:#}\n")
}

/// What every operation may answer instead.
fn refusal() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({
        "description": "A row of the error table.",
        "content": { "application/problem+json": { "schema": schema } },
    })
}

/// JSON Schema 2020-12, which is what OpenAPI 3.1 has.
fn schemas() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = SchemaGenerator::new(settings);
    generator.subschema_for::<BotPage>();
    generator.subschema_for::<BotInfo>();
    generator.subschema_for::<SendMessage>();
    generator.subschema_for::<MessageAnswer>();
    generator.subschema_for::<TokenRequest>();
    generator.subschema_for::<TokenIssued>();
    generator.subschema_for::<UsagePage>();
    generator.subschema_for::<Problem>();
    let mut schemas = Value::Object(generator.take_definitions(true));
    schemas["SendMessage"]["properties"]["from"]["description"] = json!(
        "The sender's own client id, as `clientId` has it. A bot speaks over its socket only."
    );
    schemas
}
