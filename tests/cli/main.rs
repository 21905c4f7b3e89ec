//! The built program, end to end. A new test belongs into the file of its command; what goes wrong
//! for a user belongs into `bad_input.rs`, words and files of other programs into `mistakes.rs`, what
//! someone else made to harm into `strangers.rs`; `smoke.rs` stays within seconds.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod eval;
mod exchange;
mod extend;
mod infer;
mod insight;
mod installed;
mod killed;
mod many;
mod mistakes;
mod model_choice;
mod smoke;
mod strangers;
mod terminal;
mod train;
mod train_from;
