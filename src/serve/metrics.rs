//! What `/metrics` tells Prometheus.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything counted, shared by all that count.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Request, Counter>,
    seconds: Family<Api, Histogram>,
    batches: Histogram,
    connections: Gauge,
    reloads: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    api: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    model: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            // 0.1 ms to 3.3 s
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(1e-4, 2.0, 16))
            }),
            // 1 to 1024 pictures
            batches: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            connections: Gauge::default(),
            reloads: Family::default(),
        }
    }
}

impl Metrics {
    /// A request answered with `status`: HTTP's, or gRPC's code.
    pub fn request(&self, api: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { api, status }).inc();
        self.seconds.get_or_create(&Api { api }).observe(took.as_secs_f64());
    }

    /// A batch of so many pictures.
    pub fn batch(&self, pictures: usize) {
        self.batches.observe(pictures as f64);
    }

    /// A connection, counted as open for as long as the guard lives.
    pub fn connection(&self) -> impl Drop + use<> {
        struct Open(Gauge);
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.dec();
            }
        }
        self.connections.inc();
        Open(self.connections.clone())
    }

    /// The model was reloaded, or kept because the new file is bad.
    pub fn reload(&self, succeeded: bool) {
        let outcome = if succeeded { "replaced" } else { "kept" };
        self.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    /// All of it in OpenMetrics' text form. `waiting` pictures are in the queue, which has room for
    /// `capacity`; `model` is in use.
    ///
    /// # Errors
    /// If formatting fails, which writing to memory does not.
    pub fn text(
        &self,
        waiting: usize,
        capacity: usize,
        model: &str,
    ) -> Result<String, std::fmt::Error> {
        let gauge = |value: usize| -> Gauge {
            let gauge = Gauge::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        let models = Family::<Model, Gauge>::default();
        models.get_or_create(&Model { model: model.to_owned() }).set(1);

        let mut registry = Registry::with_prefix("burn_digits");
        registry.register(
            "requests",
            "Requests answered, by interface and status (for grpc its code)",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request",
            "From a request's headers to its answer",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "batch_pictures",
            "Pictures per run of the network",
            self.batches.clone(),
        );
        registry.register("queue_pictures", "Pictures that wait", gauge(waiting));
        registry.register("queue_capacity", "Pictures that may wait", gauge(capacity));
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register(
            "model_reloads",
            "Reloads asked for, by outcome: replaced, or kept",
            self.reloads.clone(),
        );
        registry.register("model_info", "The model in use", models);
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_in_openmetrics_text() {
        let metrics = Metrics::default();
        metrics.request("v2", 200, Duration::from_micros(300));
        metrics.request("v2", 200, Duration::from_millis(3));
        metrics.batch(3);
        let open = metrics.connection();
        let text = metrics.text(5, 1024, "shipped").unwrap();
        for line in [
            "burn_digits_requests_total{api=\"v2\",status=\"200\"} 2",
            // 300 µs lies in the third bucket, up to 400 µs; 3 ms doesn't.
            "burn_digits_request_seconds_bucket{le=\"0.0004\",api=\"v2\"} 1",
            "burn_digits_request_seconds_count{api=\"v2\"} 2",
            "burn_digits_batch_pictures_bucket{le=\"4.0\"} 1",
            "burn_digits_queue_pictures 5",
            "burn_digits_connections 1",
            "burn_digits_model_info{model=\"shipped\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        assert!(metrics.text(0, 1024, "shipped").unwrap().contains("burn_digits_connections 0"));
    }
}
