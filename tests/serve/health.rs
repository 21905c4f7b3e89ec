//! gRPC's health service.

use serde_json::json;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::grpc::with_channel;
use crate::server::TestServer;

const SERVICE: &str = "inference.GRPCInferenceService";

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[test]
fn check_knows_the_services_of_the_server() {
    let server = TestServer::start();
    with_channel(&server, async |channel, origin| {
        let mut client = HealthClient::with_origin(channel, origin);
        for service in ["", SERVICE, "tensorflow.serving.PredictionService"] {
            let answer = client.check(request(service)).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
        }
        let unknown = client.check(request("other")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert!(unknown.message().contains("other"));
    });
}

#[test]
fn watch_reports_not_serving_and_ends_when_the_server_drains() {
    let args = ["--model", "shipped", "--time-limit", "300ms", "--idle", "300ms"];
    let mut server = TestServer::with(&args);
    with_channel(&server, async |channel, origin| {
        let mut client = HealthClient::with_origin(channel, origin);
        let mut watch = client.watch(request(SERVICE)).await.unwrap().into_inner();
        let status = watch.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::Serving);
        let mut unknown = client.watch(request("other")).await.unwrap().into_inner();
        let status = unknown.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::ServiceUnknown);
        drop(unknown);
        // Longer than any limit of time: a watch is not idle.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        server.signal("TERM");
        let status = watch.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::NotServing);
        assert_eq!(watch.message().await.unwrap(), None);
    });
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn watch_reports_when_a_folder_gets_its_first_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = TestServer::with(&["--models", path, "--models-interval", "50ms"]);
    with_channel(&server, async |channel, origin| {
        let mut client = HealthClient::with_origin(channel, origin);
        let mut watch = client.watch(request("")).await.unwrap().into_inner();
        let status = watch.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::NotServing);
        let version = folder.path().join("digits/1");
        std::fs::create_dir_all(&version).unwrap();
        let model = crate::server::file(crate::server::SHIPPED_MODEL);
        std::fs::write(version.join("model.safetensors"), model).unwrap();
        let status = watch.message().await.unwrap().unwrap().status();
        assert_eq!(status, ServingStatus::Serving);
    });
    assert_eq!(
        server.get("/v2/models/digits/ready").ok(),
        json!({ "name": "digits", "ready": true })
    );
}

#[test]
fn a_connection_may_have_a_few_watches() {
    let server = TestServer::start();
    with_channel(&server, async |channel, origin| {
        let mut client = HealthClient::with_origin(channel, origin);
        let mut watches = Vec::new();
        for _ in 0..8 {
            let mut watch = client.watch(request("")).await.unwrap().into_inner();
            watch.message().await.unwrap();
            watches.push(watch);
        }
        let refused = client.watch(request("")).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        drop(watches);
        client.check(request("")).await.unwrap();
    });
}
