//! `completions` and `man`, generated from the definition of the command line.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use clap_complete::Shell;

use crate::failure::CommandFailure;
use crate::{args, out};

const NAME: &str = "t2b";

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> Result<(), CommandFailure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), NAME, &mut script);
    let mut out = stdout().lock();
    out::written(out.write_all(&script).and_then(|()| out.flush()))
}

/// Writes a page of every command into a folder.
pub fn pages(folder: &Path) -> Result<(), CommandFailure> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(args::command(), folder));
    written.map_err(|error| CommandFailure::failed("man", format!("{}: {error}", folder.display())))
}
