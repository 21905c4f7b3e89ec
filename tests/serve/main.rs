//! `serve`, end to end: the built program as a server, with the clients that people use. A new test
//! belongs into the file of its API; limits and signals into `production.rs`.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod browser;
mod clients;
mod corrections;
mod embedded;
mod grpc;
mod hostile;
mod metrics;
mod open_inference;
mod openapi;
mod page;
mod predict;
mod production;
mod server;
mod tensorflow;
mod tls;
