//! `completions`, `man`: made from the command line's own description.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use clap_complete::Shell;

use crate::args;
use crate::failure::Failure;

const NAME: &str = "t2b";

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), NAME, &mut script);
    let written = stdout().write_all(&script);
    written.map_err(|error| Failure::failed("stdout", error))
}

/// Writes a page of every command into a folder.
pub fn pages(folder: &Path) -> Result<(), Failure> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(args::command(), folder));
    written.map_err(|error| Failure::failed("man", format!("{}: {error}", folder.display())))
}
