//! The log filter: levels, for all or for a module, as `tracing_subscriber::EnvFilter` reads them.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

const RULE: &str = "expected a level (off, error, warn, info, debug, trace) or module=level, several \
                    separated by commas";

/// The filter as `EnvFilter` reads it: without space, `warning` as `warn`.
///
/// Errors: the rule. A bare word that is no level is refused: `EnvFilter` takes it for the name of a
/// module, and `log = "verbose"` would show nothing.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let wrong = || RULE.to_owned();
    // The fields of a span may hold commas and signs of their own.
    let filter = match text.contains('[') {
        true => text.to_owned(),
        false => {
            let parts = text.split(',').map(directive);
            parts
                .collect::<Option<Vec<_>>>()
                .ok_or_else(wrong)?
                .join(",")
        }
    };
    EnvFilter::builder().parse(&filter).map_err(|_| wrong())?;
    Ok(filter)
}

/// `level` or `module=level`.
fn directive(text: &str) -> Option<String> {
    let Some((module, wanted)) = text.split_once('=') else {
        return level(text).map(str::to_owned);
    };
    let module = module.trim();
    let is_module = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
    if module.is_empty() || !module.chars().all(is_module) {
        return None;
    }
    Some(format!("{module}={}", level(wanted)?))
}

fn level(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("warning") {
        return Some("warn");
    }
    (!text.is_empty() && text.parse::<LevelFilter>().is_ok()).then_some(text)
}
