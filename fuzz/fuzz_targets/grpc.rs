#![no_main]

#[path = "../request_checks.rs"]
mod request_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| request_checks::grpc(bytes));
