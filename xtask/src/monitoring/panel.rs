//! What a dashboard is made of.

/// One dashboard.
#[derive(Debug)]
pub(super) struct DashboardTable {
    /// Its file, relative to the workspace.
    pub path: &'static str,
    /// What Grafana knows it by; it must never change.
    pub uid: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the reader chooses at the top: a label and a metric that has it. Panels use `$LABEL`.
    pub choice: Option<(&'static str, &'static str)>,
    /// Its panels, three in a row.
    pub panels: &'static [PanelRow],
}

/// One chart.
#[derive(Debug)]
pub(super) struct PanelRow {
    /// Its heading.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: PanelUnit,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// Each with the legend of its lines: PromQL, in which `$__rate_interval` is Grafana's.
    pub queries: &'static [(&'static str, &'static str)],
}

/// The unit of a chart's values.
#[derive(Debug, Clone, Copy)]
pub(super) enum PanelUnit {
    Count,
    PerSecond,
    Bytes,
    BytesPerSecond,
    Seconds,
    /// From 0 to 1.
    Ratio,
}

/// A row of a dashboard's table.
pub(super) const fn panel(
    title: &'static str,
    unit: PanelUnit,
    shows: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> PanelRow {
    PanelRow {
        title,
        unit,
        shows,
        queries,
    }
}

impl PanelUnit {
    /// Grafana's id of the unit.
    pub(super) const fn id(self) -> &'static str {
        match self {
            PanelUnit::Count => "short",
            PanelUnit::PerSecond => "ops",
            PanelUnit::Bytes => "bytes",
            PanelUnit::BytesPerSecond => "Bps",
            PanelUnit::Seconds => "s",
            PanelUnit::Ratio => "percentunit",
        }
    }
}
