//! Prints why a command failed.

use std::process::ExitCode;

use crate::failure::CommandFailure;
use crate::out;

impl CommandFailure {
    /// Prints it on stderr; the code to exit with.
    pub fn report(self) -> ExitCode {
        if let Some((reason, text)) = &self.told {
            out::tell_error(reason, text);
        }
        if let Some(next) = &self.next {
            out::tell_next(next);
        }
        ExitCode::from(self.exit)
    }
}
