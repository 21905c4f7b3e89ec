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
    assert_eq!(paths.len(), 24);
    for (path, operations) in paths {
        for method in operations.as_object().unwrap().keys() {
            let response = server.request(&method.to_uppercase(), path, &[], b"");
            // An empty POST is an invalid request, but to the repository; all others answer a GET.
            let expected = match (method.as_str(), path.as_str()) {
                ("post", "/v2/repository/index") => 200,
                ("post", path) if path.starts_with("/v2/repository/") => 403,
                ("post", _) => 400,
                _ => 200,
            };
            assert_eq!(response.status, expected, "{method} {path}: {}", response.text());
        }
    }
}

#[test]
fn clients_that_do_not_ask_for_html_get_the_status_instead_of_the_page() {
    let server = TestServer::start();
    for accept in ["*/*", "application/json"] {
        let answer = server.request("GET", "/", &[("Accept", accept)], b"");
        assert_eq!(answer.ok(), serde_json::json!({ "status": "alive" }));
        assert_eq!(answer.header("Vary"), Some("accept"));
    }
    for path in ["/healthz", "/ping", "/healthz/"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (200, "ok\n"));
    }
}

#[test]
fn the_page_may_only_contact_this_server() {
    let server = TestServer::start();
    let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = server.request("GET", "/", &[("Accept", accept)], b"");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let policy = page.header("Content-Security-Policy").unwrap();
    let directives: Vec<_> = policy.split(';').map(str::trim).collect();
    assert!(directives.contains(&"default-src 'none'"), "{policy}");
    assert!(directives.contains(&"connect-src 'self'"), "{policy}");
}
