//! Prints why a command failed: for a person, or, for a gateway that logs JSON, as one more line of its
//! log. A panic is told the same way.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env;
use std::ffi::OsString;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gateway::config::ConfigKey;
use gateway::{error_line, machine};

use crate::failure::CommandFailure;
use crate::out;

/// Stands for the node's name on a machine that has none.
const NO_NAME: &str = "unknown";

/// Whether failures are lines of JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Lets failures and panics be lines of JSON if the command line or the environment says that the log is:
/// it is called before either is read properly, as that may fail.
pub fn begin() {
    let key = ConfigKey::of("log_format").expect("a row of KEYS");
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if is_said(&arguments, env::var_os(key.variable()), &key.flag()) {
        in_json();
    }
}

/// Lets failures and panics be lines of JSON from now on.
pub fn in_json() {
    if !IS_JSON.swap(true, Ordering::Relaxed) {
        panic::set_hook(Box::new(|panicked| {
            out::tell!("{}", panic_line(panicked));
        }));
    }
}

/// Whether they are.
pub fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Of `gateway run` only: other commands have no log.
fn is_said(arguments: &[OsString], variable: Option<OsString>, flag: &str) -> bool {
    let Some(arguments) = arguments.strip_prefix(&["gateway".into(), "run".into()][..]) else {
        return false;
    };
    let flag = format!("--{flag}");
    let with_value = format!("{flag}=");
    let mut values = arguments
        .iter()
        .enumerate()
        .filter_map(|(index, argument)| {
            let argument = argument.to_str()?;
            match argument == flag {
                true => arguments.get(index + 1)?.to_str(),
                false => argument.strip_prefix(&with_value),
            }
        });
    match values.next_back() {
        Some(value) => value == "json",
        None => variable.is_some_and(|value| value == "json"),
    }
}

impl CommandFailure {
    /// Prints it on stderr; the code to exit with.
    pub fn report(self) -> ExitCode {
        if is_json() {
            self.report_in_json();
            return ExitCode::from(self.exit);
        }
        if let Some((reason, text)) = &self.told {
            out::tell_error(reason, text);
        }
        if let Some(next) = &self.next {
            out::tell_next(next);
        }
        ExitCode::from(self.exit)
    }

    fn report_in_json(&self) {
        let Some((reason, text)) = &self.told else {
            return;
        };
        let mut fields = vec![("reason", reason.clone()), ("exit", self.exit.to_string())];
        fields.extend(self.next.iter().map(|next| ("next", next.clone())));
        out::tell!(
            "{}",
            error_line(&machine::node_name(NO_NAME), text, &fields)
        );
    }
}

fn panic_line(panicked: &PanicHookInfo<'_>) -> String {
    let message = panicked
        .payload_as_str()
        .unwrap_or("a panic without a text");
    let name = thread::current().name().unwrap_or("unnamed").to_owned();
    let mut fields = vec![("reason", "panic".to_owned()), ("thread", name)];
    fields.extend(panicked.location().map(|at| ("location", at.to_string())));
    // It is taken if RUST_BACKTRACE says so.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        fields.push(("backtrace", backtrace.to_string()));
    }
    error_line(&machine::node_name(NO_NAME), message, &fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], variable: Option<&str>, expected: bool) {
        let said: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let wanted = is_said(&said, variable.map(OsString::from), "log-format");
        assert_eq!(wanted, expected, "{arguments:?} {variable:?}");
    }

    #[test]
    fn the_last_flag_wins_over_the_environment() {
        let run = ["gateway", "run"];
        check(&run, None, false);
        check(&run, Some("json"), true);
        check(&run, Some("text"), false);
        for json in [&["--log-format", "json"][..], &["--log-format=json"]] {
            check(&[&run[..], json].concat(), Some("text"), true);
            check(
                &[&run[..], json, &["--log-format", "text"]].concat(),
                Some("json"),
                false,
            );
        }
        check(&[&run[..], &["--log-format"]].concat(), Some("json"), true);
        check(
            &["gateway", "status", "--log-format=json"],
            Some("json"),
            false,
        );
        check(&["gateway"], Some("json"), false);
    }
}
