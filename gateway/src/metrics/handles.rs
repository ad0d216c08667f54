//! The handles of one recorder.

use ::metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};

use super::table::{self, MetricKind, MetricRow, TABLE};

/// Counts one by the counter of a key.
pub(super) fn increment<K: PartialEq>(counters: &[(K, Counter)], key: &K) {
    if let Some((_, counter)) = counters.iter().find(|(own, _)| own == key) {
        counter.increment(1);
    }
}

/// Makes handles of one recorder; a name that the table lacks is a bug that the test finds.
pub(super) struct MetricHandles<'a, R>(pub(super) &'a R);

impl<R: Recorder> MetricHandles<'_, R> {
    pub(super) fn describe(&self) {
        for MetricRow {
            name, kind, help, ..
        } in TABLE
        {
            let (name, help): (KeyName, SharedString) = ((*name).into(), (*help).into());
            match kind {
                MetricKind::Counter => self.0.describe_counter(name, None::<Unit>, help),
                MetricKind::Gauge => self.0.describe_gauge(name, None::<Unit>, help),
                MetricKind::Histogram => self.0.describe_histogram(name, None::<Unit>, help),
            }
        }
    }

    /// `values`: one for each label of the metric.
    fn key(name: &'static str, values: impl IntoIterator<Item = SharedString>) -> Key {
        let row = table::row(name);
        debug_assert!(row.is_some(), "{name} is not in the table");
        let labels = row.map_or(&[][..], |row| row.labels).iter().zip(values);
        let labels = labels.map(|(label, value)| Label::new(*label, value));
        Key::from_parts(name, labels.collect::<Vec<_>>())
    }

    pub(super) fn counter(
        &self,
        name: &'static str,
        values: impl IntoIterator<Item = SharedString>,
    ) -> Counter {
        self.0.register_counter(&Self::key(name, values), &META)
    }

    pub(super) fn gauge(
        &self,
        name: &'static str,
        values: impl IntoIterator<Item = SharedString>,
    ) -> Gauge {
        self.0.register_gauge(&Self::key(name, values), &META)
    }

    pub(super) fn histogram(
        &self,
        name: &'static str,
        values: impl IntoIterator<Item = SharedString>,
    ) -> Histogram {
        self.0.register_histogram(&Self::key(name, values), &META)
    }
}

const META: Metadata<'static> = Metadata::new("gateway", Level::INFO, None);
