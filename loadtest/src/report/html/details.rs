//! The run, its environment and its scenario.

use std::fmt::Write;

use time::OffsetDateTime;
use time::macros::format_description;

use super::markup::escape;
use crate::report::RunReport;
use crate::report::units::{count, digits};

/// The tables.
pub(super) fn render(out: &mut String, report: &RunReport) {
    let rows = environment(report).into_iter().chain(run(report));
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

fn environment(report: &RunReport) -> [(&'static str, String); 4] {
    let environment = &report.environment;
    let here = match environment.shares_machine {
        true => ", with a gateway on it",
        false => "",
    };
    let machine = format!(
        "{} cores, {}, Linux {}{here}",
        environment.cores, environment.processor, environment.kernel
    );
    [
        ("gateways", report.gateways.join(", ")),
        ("version of the gateways", environment.gateways.join(", ")),
        ("version of the load test", environment.loadtest.clone()),
        ("machine of the load test", machine),
    ]
}

fn run(report: &RunReport) -> [(&'static str, String); 4] {
    let counts = &report.counts;
    let early = match report.ended_early {
        true => ", ended early",
        false => "",
    };
    let times = format!(
        "sockets ready in {} s, measured {} s{early}",
        digits(report.setup_s),
        digits(report.measured_s)
    );
    let messages = format!(
        "{} sent, {} delivered, {} lost, {} cut with a connection",
        count(counts.messages_sent),
        count(counts.messages_delivered),
        count(counts.lost),
        count(counts.cut)
    );
    let best_effort = format!(
        "{} of {} partials, {} of {} typing frames delivered",
        count(counts.partials_delivered),
        count(counts.partials_sent),
        count(counts.typing_delivered),
        count(counts.typing_sent)
    );
    [
        ("started", started(report.started_unix_s)),
        ("run", times),
        ("messages", messages),
        ("best effort", best_effort),
    ]
}

fn started(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let text = at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second] UTC"
    ));
    text.unwrap_or_default()
}
