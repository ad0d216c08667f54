//! A dashboard as Grafana reads it.

use serde_json::{Value, json};

use super::panel::{DashboardTable, PanelChoice, PanelRow};

/// Grafana's grid has 24 columns: three panels in a row.
const WIDTH: usize = 8;
const HEIGHT: usize = 8;
const COLUMNS: usize = 24 / WIDTH;

/// How often Prometheus asks for the series of tenants: docs/slo.md. Rates need several values.
const TENANT_INTERVAL: &str = "60s";

/// The version of Grafana's format: that of Grafana 10.
const SCHEMA: u32 = 38;

/// The file of a dashboard.
pub(super) fn json(dashboard: &DashboardTable) -> String {
    let panels = dashboard.panels.iter().enumerate();
    let panels: Vec<Value> = panels.map(|(at, row)| panel(at, row)).collect();
    let datasource = json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    });
    let choice = dashboard.choice.map(choice);
    let variables: Vec<Value> = std::iter::once(datasource).chain(choice).collect();
    let file = json!({
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.shows,
        "tags": ["t2b"],
        "schemaVersion": SCHEMA,
        "editable": false,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "templating": { "list": variables },
        "panels": panels,
    });
    format!("{file:#}\n")
}

/// Without several values, Grafana chooses the first one.
fn choice(choice: PanelChoice) -> Value {
    let PanelChoice {
        label,
        metric,
        many,
    } = choice;
    let mut variable = json!({
        "name": label,
        "label": label,
        "type": "query",
        "datasource": source(),
        "query": format!("label_values({metric}, {label})"),
        "refresh": 2,
        "sort": 1,
        "includeAll": many,
        "multi": many,
    });
    if many {
        variable["allValue"] = json!(".*");
        variable["current"] = json!({ "text": "All", "value": "$__all" });
    }
    variable
}

fn panel(at: usize, row: &PanelRow) -> Value {
    let targets = row.queries.iter().zip('A'..).map(|((expr, legend), id)| {
        json!({
            "refId": id.to_string(),
            "datasource": source(),
            "expr": expr,
            "legendFormat": legend,
        })
    });
    let mut panel = json!({
        "id": at + 1,
        "type": "timeseries",
        "title": row.title,
        "description": row.shows,
        "datasource": source(),
        "gridPos": {
            "x": at % COLUMNS * WIDTH,
            "y": at / COLUMNS * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {
            "defaults": { "unit": row.unit.id(), "custom": { "fillOpacity": 10 } },
            "overrides": [],
        },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": targets.collect::<Vec<_>>(),
    });
    if row
        .queries
        .iter()
        .any(|(expr, _)| expr.contains("t2b_tenant_"))
    {
        panel["interval"] = json!(TENANT_INTERVAL);
    }
    panel
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}
