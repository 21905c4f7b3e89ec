//! `/metrics`, and what is made of it: a dashboard and alert rules.

use std::io::Write;
use std::process::Stdio;

use crate::clients::clients_are_required;
use crate::common::root;
use crate::production::pictures;
use crate::server::{INFER_PATH, SEVEN, TestServer, file, request};
use crate::tls::{TlsClient, tls_flags};

#[test]
fn metrics_count_requests_durations_and_batches() {
    let server = TestServer::start();
    server.post(INFER_PATH, pictures(5)).ok();
    server.post(INFER_PATH, "{").error(400);
    server.post("/predict", file(SEVEN)).ok();
    let response = server.get("/metrics");
    let prometheus = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(response.header("Content-Type"), Some(prometheus));
    for line in [
        "burn_digits_requests_total{api=\"v2\",status=\"200\"} 1",
        "burn_digits_requests_total{api=\"v2\",status=\"400\"} 1",
        "burn_digits_request_seconds_count{api=\"predict\"} 1",
        // One batch of five pictures, and one of one.
        "burn_digits_batch_pictures_sum 6.0",
        "burn_digits_batch_pictures_count 2",
        "burn_digits_queue_pictures 0",
        "burn_digits_queue_capacity 1024",
        "burn_digits_model_info{model=\"shipped\"} 1",
    ] {
        assert!(response.text().lines().any(|found| found == line), "{line}:\n{}", response.text());
    }
}

#[test]
fn metrics_have_the_format_that_the_client_prefers_and_describe_the_process() {
    let server = TestServer::start();
    // Requests are in the metrics once there was one.
    server.get("/v2/health/ready").ok();
    // As Prometheus asks.
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4";
    let open_metrics = server.request("GET", "/metrics", &[("Accept", accept)], b"");
    let kind = open_metrics.header("Content-Type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(open_metrics.text().ends_with("# EOF\n"));
    let plain = server.get("/metrics");
    assert!(!plain.text().contains("# EOF"));
    for (text, counter) in [
        (open_metrics.text(), "burn_digits_requests"),
        (plain.text(), "burn_digits_requests_total"),
    ] {
        let line = format!("# TYPE {counter} counter");
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        #[cfg(target_os = "linux")]
        for name in [
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_virtual_memory_bytes",
            "process_start_time_seconds",
        ] {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            assert!(value.is_some_and(|value: f64| value >= 0.0), "{name}:\n{text}");
        }
    }
    #[cfg(target_os = "linux")]
    {
        let resident = |text: &str| {
            let name = "process_resident_memory_bytes ";
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.parse::<f64>().ok());
            value.unwrap() / 1024.0
        };
        let (metrics, system) = (resident(plain.text()), server.resident_kib() as f64);
        assert!((0.5..2.0).contains(&(metrics / system)), "{metrics} {system}");
        let name = "process_start_time_seconds ";
        let start = plain.text().lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let age = now.as_secs_f64() - start.unwrap_or(0.0);
        assert!((-2.0..600.0).contains(&age), "{age}");
    }
}

/// Debian's package `prometheus` has promtool. Where it is missing the test prints so and passes, and
/// fails with `BURN_DIGITS_NEEDS_CLIENTS=1`.
fn promtool(args: &[&str], input: &str) -> Option<String> {
    let spawned = std::process::Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        assert!(!clients_are_required(), "promtool is not installed");
        eprintln!("skipped: promtool is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "promtool {args:?}: {text}");
    Some(text)
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics_and_the_alert_rules() {
    let server = TestServer::start();
    server.post("/predict", file(SEVEN)).ok();
    let Some(complaints) = promtool(&["check", "metrics"], server.get("/metrics").text()) else {
        return;
    };
    assert_eq!(complaints, "");
    let rules = root().join("docs/serving/alerts.yaml");
    promtool(&["check", "rules", rules.to_str().unwrap()], "");
    let tests = root().join("docs/serving/alerts-test.yaml");
    promtool(&["test", "rules", tests.to_str().unwrap()], "");
}

#[test]
fn the_dashboard_and_the_alert_rules_use_metrics_that_the_server_has() {
    let server = TestServer::with(&tls_flags(&[]));
    let asked = request("GET", "/metrics", &[], b"");
    // The first answer is counted in the second.
    let [_, metrics] = [(); 2].map(|()| TlsClient::default().send(server.http, &asked).unwrap());
    let known = |name: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let start = format!("# TYPE {} ", base.unwrap_or(name));
        metrics.text().lines().any(|line| line.starts_with(&start))
    };
    for path in ["docs/serving/alerts.yaml", "docs/serving/grafana.json"] {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: Vec<&str> = words
            .filter(|word| word.starts_with("burn_digits_") || word.starts_with("process_"))
            .collect();
        assert!(names.len() > 5, "{path}: {names:?}");
        for name in names {
            assert!(known(name), "{path}: {name} is not in\n{}", metrics.text());
        }
    }
}
