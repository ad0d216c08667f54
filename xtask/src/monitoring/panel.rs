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
    /// What it is for, in a sentence.
    pub shows: &'static str,
    /// What the reader chooses at the top.
    pub choice: Option<PanelChoice>,
    /// Its panels, three in a row.
    pub panels: &'static [PanelRow],
}

/// A label whose value the reader chooses. Panels use `$LABEL`.
#[derive(Debug, Clone, Copy)]
pub(super) struct PanelChoice {
    /// The label.
    pub label: &'static str,
    /// A metric that has it.
    pub metric: &'static str,
    /// Whether several values may be chosen at once, and all. Then panels compare with `=~`.
    pub many: bool,
}

impl PanelChoice {
    /// Nodes.
    pub(super) const NODES: Self = Self {
        label: "instance",
        metric: "t2b_build_info",
        many: true,
    };
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
