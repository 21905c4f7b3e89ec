//! The built program, end to end. A new test belongs into the file of its command; what goes wrong
//! for a user belongs into `bad_input.rs`, what someone else made to harm into `strangers.rs`;
//! `smoke.rs` stays within seconds.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod eval;
mod exchange;
mod extend;
mod infer;
mod insight;
mod killed;
mod many;
mod model_choice;
mod smoke;
mod strangers;
mod train;
mod train_from;
