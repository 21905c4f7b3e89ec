//! `serve`, end to end: the built program as a server, with the clients that people have. A new test
//! belongs into the file of its interface; limits, signals and metrics into `production.rs`.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod grpc;
mod page;
mod predict;
mod production;
mod server;
mod v1;
mod v2;
