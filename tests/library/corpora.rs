//! Regression tests on the fuzzing corpora: each input is handled without a panic.

#[path = "../../fuzz/checks.rs"]
mod checks;

#[cfg(feature = "serve")]
#[path = "../../fuzz/request_checks.rs"]
mod request_checks;

use std::fs;

use crate::common;

fn check_corpus(target: &str, check: fn(&[u8])) {
    let folder = common::root().join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn each_picture_is_an_error_or_is_classified() {
    check_corpus("picture", checks::picture);
}

#[test]
fn each_idx_file_is_an_error_or_has_the_items_that_its_header_declares() {
    check_corpus("idx", checks::idx);
}

#[test]
fn each_model_is_an_error_or_can_be_used() {
    check_corpus("model", checks::model);
}

#[test]
fn each_configuration_is_an_error_or_is_the_same_after_saving_and_loading() {
    check_corpus("config", checks::config);
}

#[cfg(feature = "serve")]
#[test]
fn each_request_over_http_is_an_error_or_has_the_same_pictures_in_each_form() {
    check_corpus("rest", request_checks::rest);
}

#[cfg(feature = "serve")]
#[test]
fn each_request_over_grpc_is_an_error_or_takes_no_more_memory_than_it_is_charged() {
    check_corpus("grpc", request_checks::grpc);
}
