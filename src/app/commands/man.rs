//! `burn-digits man`: the manual pages, from the same definition as `--help`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::app::arguments::{Cli, ManArgs};
use crate::app::output::print_line;
use burn_digits::internal::format;

pub fn run(args: ManArgs) -> Result<ExitCode> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    match &args.out {
        None => io::stdout().write_all(&page(&program)?.1)?,
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{} can't be made", format::path(folder)))?;
            write(&program, folder)?;
            for command in program.get_subcommands() {
                write(command, folder)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(command: &Command, folder: &Path) -> Result<()> {
    let (name, roff) = page(command)?;
    let path = folder.join(name);
    super::write(&path, &roff)?;
    print_line(format::path(&path))
}

/// A command's page: its file's name, and the page in roff.
fn page(command: &Command) -> Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone());
    let mut roff = Vec::new();
    man.render(&mut roff)?;
    Ok((man.get_filename(), roff))
}
