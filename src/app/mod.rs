//! The command-line program `burn-digits`, over the library of the same name.
//!
//! - [`arguments`]: the command-line interface: every command, flag and help text
//! - [`commands`]: one file per command: arguments in, library calls, output
//! - [`output`]: lines, JSON, progress bars, and numbers as people read them
//! - [`terminal`]: its width and its colours
//! - [`table`]: aligned columns
//! - [`folders`]: where runs and plots go by default
//! - [`exit`]: errors as messages and exit codes
//! - [`hints`]: what a user who made a known mistake probably wants
//! - [`startup`]: the environment and the CPU threads of the process
//! - [`panic_hook`]: no panic message for Burn's downloader, whose failure is an error here
//!
//! What a program might want without a terminal belongs in the library.

pub mod arguments;
pub mod commands;
pub mod exit;
mod folders;
mod hints;
pub mod output;
pub mod panic_hook;
pub mod startup;
mod table;
mod terminal;
