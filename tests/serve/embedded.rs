//! The server as a library: started, given another model and stopped by the program around it.

use std::net::{SocketAddr, TcpStream};

use burn_digits::backend;
use burn_digits::classifier::Classifier;
use burn_digits::saved::SavedModel;
use burn_digits::serve::{ConnectionLimits, ServeError, ServeOptions, Server};

use crate::common::root;
use crate::server::{SEVEN, SHIPPED_MODEL, file, request, send};

fn options(http: SocketAddr) -> ServeOptions {
    let grpc = "127.0.0.1:0".parse().unwrap();
    let connections = ConnectionLimits { max_open: 16, ..ConnectionLimits::default() };
    ServeOptions { http, grpc, connections, ..ServeOptions::default() }
}

fn model() -> Classifier {
    Classifier::shipped(&backend::cpu()).unwrap()
}

/// The shipped model, so unsure that every probability is close to 0.1.
fn unsure_model() -> Classifier {
    let mut saved = SavedModel::load(&root().join(SHIPPED_MODEL)).unwrap();
    saved.metadata.temperature = 1000.0;
    Classifier::new(&saved, "unsure".to_owned(), &backend::cpu())
}

#[test]
fn a_program_starts_the_server_replaces_its_model_and_stops_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let any_port = "127.0.0.1:0".parse().unwrap();
    let server = runtime.block_on(Server::bind(&options(any_port), model())).unwrap();
    let (address, handle) = (server.http_address(), server.handle());
    assert_ne!(address.port(), 0);
    assert_ne!(server.grpc_address().port(), address.port());
    let serving = runtime.spawn(server.run());

    let predict = || send(address, &request("POST", "/predict", &[], &file(SEVEN))).ok();
    let shipped = predict();
    assert_eq!((&shipped["digit"], &shipped["model"]), (&7.into(), &"shipped".into()));
    handle.replace_model(unsure_model());
    let unsure = predict();
    assert_eq!((&unsure["digit"], &unsure["model"]), (&7.into(), &"unsure".into()));
    assert!(unsure["confidence"].as_f64().unwrap() < 0.2, "{unsure}");

    handle.stop();
    runtime.block_on(serving).unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_address_in_use_is_an_error_with_the_address() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    match runtime.block_on(Server::bind(&options(taken), model())) {
        Err(ServeError::Listen { address, error, .. }) => {
            assert_eq!(address, taken);
            assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it listens on an address in use"),
    }
}
