//! The OpenAPI description against the routes, and the page as a file. Schemathesis, in
//! `clients.rs`, checks requests and responses in detail.

use crate::server::TestServer;

#[test]
fn every_operation_of_the_openapi_description_exists() {
    let folder = tempfile::tempdir().unwrap();
    let collect = ["--collect", folder.path().to_str().unwrap()];
    let server = TestServer::with(&[&["--model", "shipped"], &collect[..]].concat());
    let description = server.get("/openapi.json").ok();
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 14);
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let response = server.request(&method.to_uppercase(), path, &[], b"");
            // An empty POST is an invalid request, and all of these answer a GET.
            let expected = if method == "post" { 400 } else { 200 };
            assert_eq!(response.status, expected, "{method} {path}: {}", response.text());
        }
    }
}

#[test]
fn the_page_may_only_contact_this_server() {
    let server = TestServer::start();
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").unwrap();
    let directives: Vec<_> = policy.split(';').map(str::trim).collect();
    assert!(directives.contains(&"default-src 'none'"), "{policy}");
    assert!(directives.contains(&"connect-src 'self'"), "{policy}");
}
