//! The run, its environment and its scenario.

use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::escape;
use crate::report::RunReport;
use crate::report::units::{count, digits};

/// The tables.
pub(super) fn render(out: &mut String, report: &RunReport) {
    let environment = &report.environment;
    let counts = &report.counts;
    let here = if environment.shares_machine {
        ", with a gateway on it"
    } else {
        ""
    };
    let rows = [
        ("gateways", report.gateways.join(", ")),
        ("version of the gateways", environment.gateways.join(", ")),
        ("version of the load test", environment.loadtest.clone()),
        (
            "machine of the load test",
            format!(
                "{} cores, {}, Linux {}{here}",
                environment.cores, environment.processor, environment.kernel
            ),
        ),
        ("started", started(report.started_unix_s)),
        (
            "run",
            format!(
                "sockets ready in {} s, measured {} s{}",
                digits(report.setup_s),
                digits(report.measured_s),
                if report.ended_early {
                    ", ended early"
                } else {
                    ""
                }
            ),
        ),
        (
            "messages",
            format!(
                "{} sent, {} delivered, {} lost, {} cut with a connection",
                count(counts.messages_sent),
                count(counts.messages_delivered),
                count(counts.lost),
                count(counts.cut)
            ),
        ),
        (
            "best effort",
            format!(
                "{} of {} partials, {} of {} typing frames delivered",
                count(counts.partials_delivered),
                count(counts.partials_sent),
                count(counts.typing_delivered),
                count(counts.typing_sent)
            ),
        ),
    ];
    out.push_str("<h2>Run and environment</h2><div class=\"box\"><table>");
    for (name, value) in rows {
        let value = escape(&value);
        let _ = write!(
            out,
            "<tr><td>{name}</td><td class=\"wide\">{value}</td></tr>"
        );
    }
    out.push_str("</table></div><h2>Scenario</h2>");
    let text = toml::to_string(&report.scenario).unwrap_or_default();
    let _ = write!(out, "<pre class=\"box\">{}</pre>", escape(&text));
}

fn started(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let text = at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] UTC"
    ));
    text.unwrap_or_default()
}
