//! The program of `cargo xtask`. It is an example, as cargo gives those the features of the tests: nothing
//! is built twice.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
