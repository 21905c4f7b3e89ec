//! The queue in front of the networks: waiting pictures, batched, through their network on one thread.
//!
//! A batch of 64 pictures takes little longer than a single one, so whatever waits for a model goes
//! through its network together. The queue is limited in pictures: when it is full, requests fail immediately
//! (503) instead of being answered too late. Requests of a few pictures have places of their own, so
//! that large ones can't keep them out.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::api_error::{ApiError, ApiErrorKind};
use super::metrics::Metrics;
use super::models::ServedModel;
use super::options::MAX_BATCH_WAIT;
use crate::classifier::Prediction;
use crate::picture::DigitImage;

/// Up to this many pictures, a request is small.
const SMALL_REQUEST_PICTURES: usize = 8;
/// How many places for small requests there are beside the queue's capacity, as a part of it.
const SMALL_REQUEST_PART: usize = 8;

/// The predictions for one request.
pub(crate) struct InferenceOutput {
    /// One prediction per picture, in order.
    pub(crate) predictions: Vec<Prediction>,
    /// How long the request waited for the network.
    pub(crate) queue_time: Duration,
    /// How long its batch was in the network.
    pub(crate) inference_time: Duration,
}

/// A handle to the queue.
pub(crate) struct InferenceQueue {
    sender: mpsc::Sender<QueuedRequest>,
    /// One permit for each picture that may wait.
    free_places: Arc<Semaphore>,
    capacity: usize,
    /// Further permits, for small requests.
    small_places: Arc<Semaphore>,
    small_capacity: usize,
}

struct QueuedRequest {
    model: Arc<ServedModel>,
    pictures: Vec<DigitImage>,
    since: Instant,
    /// Released when the request leaves the queue.
    places: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<InferenceOutput, ApiError>>,
}

impl InferenceQueue {
    /// Starts the inference thread. It ends when the queue is dropped and empty.
    ///
    /// `capacity` limits the pictures that wait, `max_batch` those that go through the network at
    /// once, and `batch_wait` (at most [`MAX_BATCH_WAIT`]) how long a request waits for others to
    /// share its batch.
    ///
    /// # Errors
    /// If the system provides no thread.
    pub(crate) fn start(
        capacity: usize,
        max_batch: usize,
        batch_wait: Duration,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let capacity = capacity.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let small_capacity = capacity.div_ceil(SMALL_REQUEST_PART);
        let queue = Self {
            sender,
            free_places: Arc::new(Semaphore::new(capacity)),
            capacity,
            small_places: Arc::new(Semaphore::new(small_capacity)),
            small_capacity,
        };
        let max_batch = max_batch.max(1);
        let mut batcher = Batcher::new(receiver, max_batch, batch_wait.min(MAX_BATCH_WAIT));
        // A thread pool of one: the CPU backends would otherwise split work over all processors.
        // Batches are small, and the other processors have connections to serve.
        rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "network".to_owned())
            .build()
            .map_err(io::Error::other)?
            .spawn(move || {
                while let Some(batch) = batcher.next_batch() {
                    run_batch(batch, max_batch, &metrics);
                }
            });
        Ok(queue)
    }

    /// How many pictures are waiting.
    pub(crate) fn waiting(&self) -> usize {
        let free = self.free_places.available_permits() + self.small_places.available_permits();
        self.capacity + self.small_capacity - free
    }

    /// How many pictures may wait, those of small requests aside.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Checks that a request of `count` pictures fits into the queue.
    ///
    /// # Errors
    /// If it does not, even when the queue is empty.
    pub(crate) fn check_count(&self, count: usize) -> Result<(), ApiError> {
        if count <= self.capacity {
            return Ok(());
        }
        let message = format!(
            "the request has {count} pictures and the queue holds {}; send fewer per request",
            self.capacity
        );
        Err(ApiError::new(ApiErrorKind::TooLarge, message))
    }

    /// One prediction of `model` per picture, in order.
    ///
    /// # Errors
    /// If the queue has no room, or the device fails.
    pub(crate) async fn predict(
        &self,
        model: Arc<ServedModel>,
        pictures: Vec<DigitImage>,
    ) -> Result<InferenceOutput, ApiError> {
        self.check_count(pictures.len())?;
        let places = self.places(pictures.len()).ok_or_else(|| {
            let message = "the queue is full; retry after 1 second";
            ApiError::new(ApiErrorKind::Unavailable, message)
        })?;
        let (reply, response) = oneshot::channel();
        let ended = || ApiError::new(ApiErrorKind::Internal, "the inference thread has ended");
        let since = Instant::now();
        let request = QueuedRequest { model, pictures, since, places, reply };
        self.sender.send(request).map_err(|_| ended())?;
        response.await.map_err(|_| ended())?
    }

    /// Places for `count` pictures, if they are free.
    fn places(&self, count: usize) -> Option<OwnedSemaphorePermit> {
        // No overflow: the capacity is at most u32::MAX.
        let from =
            |places: &Arc<Semaphore>| places.clone().try_acquire_many_owned(count as u32).ok();
        let is_small = count <= SMALL_REQUEST_PICTURES;
        from(&self.free_places).or_else(|| from(&self.small_places).filter(|_| is_small))
    }
}

/// Forms batches of queued requests.
struct Batcher {
    receiver: mpsc::Receiver<QueuedRequest>,
    /// A request that did not fit into the previous batch.
    postponed: Option<QueuedRequest>,
    /// The number of requests in the previous batch.
    previous_requests: usize,
    /// The maximum number of pictures in a batch of several requests. A request with more pictures
    /// is a batch of its own.
    max_pictures: usize,
    batch_wait: Duration,
}

impl Batcher {
    fn new(
        receiver: mpsc::Receiver<QueuedRequest>,
        max_pictures: usize,
        batch_wait: Duration,
    ) -> Self {
        Self { receiver, postponed: None, previous_requests: 1, max_pictures, batch_wait }
    }

    /// The next batch, or `None` once all senders are dropped and the queue is empty.
    ///
    /// Blocks until there is a request and takes all that wait behind it. It waits for more only
    /// while the batch has fewer requests than the previous one: so a single client is answered
    /// without delay, and many clients share batches.
    fn next_batch(&mut self) -> Option<Vec<QueuedRequest>> {
        let first = match self.postponed.take() {
            Some(request) => request,
            None => self.receiver.recv().ok()?,
        };
        let deadline = Instant::now() + self.batch_wait;
        let mut pictures = first.pictures.len();
        let mut batch = vec![first];
        while pictures < self.max_pictures {
            let received = match self.receiver.try_recv() {
                Ok(request) => Ok(request),
                Err(_) if batch.len() >= self.previous_requests => break,
                Err(_) => {
                    let remaining = deadline.saturating_duration_since(Instant::now());
                    self.receiver.recv_timeout(remaining)
                }
            };
            match received {
                Ok(request) if pictures + request.pictures.len() > self.max_pictures => {
                    self.postponed = Some(request);
                    break;
                }
                Ok(request) => {
                    pictures += request.pictures.len();
                    batch.push(request);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.previous_requests = batch.len();
        Some(batch)
    }
}

/// Classifies a batch, whose requests may be for several models.
fn run_batch(mut batch: Vec<QueuedRequest>, max_batch: usize, metrics: &Metrics) {
    while let Some(first) = batch.first() {
        let model = first.model.clone();
        let is_same = |request: &QueuedRequest| Arc::ptr_eq(&request.model, &model);
        // Nearly always: all requests of a batch are for one model.
        let others = if batch.iter().all(is_same) {
            Vec::new()
        } else {
            batch.extract_if(.., |request| !is_same(request)).collect()
        };
        run_model_batch(batch, &model, max_batch, metrics);
        batch = others;
    }
}

/// Classifies the requests for one model and sends each its predictions.
fn run_model_batch(
    batch: Vec<QueuedRequest>,
    model: &ServedModel,
    max_batch: usize,
    metrics: &Metrics,
) {
    let start = Instant::now();
    let mut pictures = Vec::new();
    let mut replies = Vec::with_capacity(batch.len());
    for mut request in batch {
        drop(request.places);
        // The client has disconnected or its time limit has passed.
        if request.reply.is_closed() {
            continue;
        }
        let queue_time = start.saturating_duration_since(request.since);
        replies.push((request.pictures.len(), queue_time, request.reply));
        if pictures.is_empty() {
            pictures = request.pictures;
        } else {
            pictures.append(&mut request.pictures);
        }
    }
    if pictures.is_empty() {
        return;
    }
    metrics.record_batch(pictures.len());
    model.statistics.record_batch();
    // A panic of the device must not end this thread, which serves all later requests.
    let predict = || {
        let mut predictions = Vec::with_capacity(pictures.len());
        for pictures in pictures.chunks(max_batch) {
            predictions.append(&mut model.classifier.try_predict(pictures)?);
        }
        Ok::<_, ApiError>(predictions)
    };
    let result = catch_unwind(AssertUnwindSafe(predict)).unwrap_or_else(|panic| {
        Err(ApiError::new(ApiErrorKind::Internal, panic_message(panic.as_ref())))
    });
    let inference_time = start.elapsed();
    let mut predictions = match result {
        Ok(predictions) => predictions.into_iter(),
        Err(error) => {
            tracing::error!(reason = error.message, "inference failed");
            for (_, _, reply) in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    for (count, queue_time, reply) in replies {
        let predictions = predictions.by_ref().take(count).collect();
        let _ = reply.send(Ok(InferenceOutput { predictions, queue_time, inference_time }));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = crate::panic_message::panic_message(panic);
    format!("inference failed: {}", text.unwrap_or("unknown panic"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Classifier;

    fn queue(capacity: usize) -> Arc<InferenceQueue> {
        let metrics = Metrics::default();
        InferenceQueue::start(capacity, 256, MAX_BATCH_WAIT, metrics).unwrap().into()
    }

    /// The shipped model with another temperature.
    fn model(version: u64, temperature: f32) -> Arc<ServedModel> {
        let mut saved = crate::saved::SavedModel::shipped().unwrap();
        saved.metadata.temperature = temperature;
        let classifier = Classifier::new(&saved, "digits".to_owned(), &backend::cpu());
        ServedModel::new("digits".into(), version, classifier, Arc::default()).unwrap().into()
    }

    fn picture(grey: f32) -> DigitImage {
        DigitImage::from_array([grey; 784])
    }

    #[tokio::test]
    async fn each_request_gets_the_predictions_of_its_own_pictures_and_model_from_a_shared_batch() {
        let queue = queue(1000);
        let models = [model(1, 1.0), model(2, 20.0)];
        let counts = [1, 3, 2, 300, 1];
        let pictures = |index: usize| -> Vec<_> {
            (0..counts[index]).map(|n| picture((index * 300 + n) as f32 / 1500.0)).collect()
        };
        let requests: Vec<_> = (0..counts.len())
            .map(|index| {
                let (queue, pictures) = (queue.clone(), pictures(index));
                let model = models[index % 2].clone();
                tokio::spawn(async move { queue.predict(model, pictures).await })
            })
            .collect();
        for (index, request) in requests.into_iter().enumerate() {
            let alone = models[index % 2].classifier.predict(&pictures(index));
            let together = request.await.unwrap().unwrap().predictions;
            assert_eq!(together.len(), counts[index]);
            for (a, b) in together.iter().zip(&alone) {
                // The order of additions may differ with the size of a batch.
                let difference = |(a, b): (&f32, &f32)| (a - b).abs();
                assert!(a.logits.iter().zip(&b.logits).map(difference).all(|d| d < 1e-4));
                assert!((a.confidence - b.confidence).abs() < 1e-4);
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_is_unavailable_and_a_request_above_its_capacity_is_too_large() {
        let queue = queue(20);
        let _most = queue.free_places.clone().try_acquire_many_owned(19).unwrap();
        assert_eq!(queue.waiting(), 19);
        let full = queue.predict(model(1, 1.0), vec![picture(0.0); 9]).await.err().unwrap();
        assert_eq!(full.kind, ApiErrorKind::Unavailable);
        let above = queue.predict(model(1, 1.0), vec![picture(0.0); 21]).await.err().unwrap();
        assert_eq!(above.kind, ApiErrorKind::TooLarge);
        assert_eq!(
            queue.predict(model(1, 1.0), vec![picture(0.0)]).await.unwrap().predictions.len(),
            1
        );
    }

    #[tokio::test]
    async fn large_requests_do_not_take_the_places_of_small_ones() {
        let queue = queue(20);
        let _all = queue.free_places.clone().try_acquire_many_owned(20).unwrap();
        assert!(queue.predict(model(1, 1.0), vec![picture(0.0); 9]).await.is_err());
        assert_eq!(
            queue.predict(model(1, 1.0), vec![picture(0.0); 3]).await.unwrap().predictions.len(),
            3
        );
        let too_many = queue.predict(model(1, 1.0), vec![picture(0.0); 4]).await.err().unwrap();
        assert_eq!(too_many.kind, ApiErrorKind::Unavailable);
    }

    #[test]
    fn a_batch_ends_before_a_request_that_would_exceed_the_maximum() {
        let (sender, receiver) = mpsc::channel();
        let free_places = Arc::new(Semaphore::new(1000));
        for count in [1, 200, 100, 300, 1] {
            let (reply, _) = oneshot::channel();
            let (model, since) = (model(1, 1.0), Instant::now());
            let places = free_places.clone().try_acquire_owned().unwrap();
            let pictures = vec![picture(0.0); count];
            sender.send(QueuedRequest { model, pictures, since, places, reply }).unwrap();
        }
        drop(sender);
        let mut batcher = Batcher::new(receiver, 256, MAX_BATCH_WAIT);
        let sizes = std::iter::from_fn(|| batcher.next_batch())
            .map(|batch| batch.iter().map(|request| request.pictures.len()).collect::<Vec<_>>());
        assert_eq!(sizes.collect::<Vec<_>>(), [vec![1, 200], vec![100], vec![300], vec![1]]);
    }
}
