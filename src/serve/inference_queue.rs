//! The queue in front of the network: waiting pictures, batched, through the network on one thread.
//!
//! A batch of 64 pictures takes little longer than a single one, so whatever waits goes through the
//! network together. The queue is limited in pictures: when it is full, requests fail immediately
//! (503) instead of being answered too late. Requests of a few pictures have places of their own, so
//! that large ones can't keep them out.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::api_error::{ApiError, ApiErrorKind};
use super::metrics::Metrics;
use super::options::MAX_BATCH_WAIT;
use crate::classifier::{Classifier, Prediction};
use crate::picture::DigitImage;

/// The maximum number of pictures in a batch of several requests. A request with more pictures is a
/// batch of its own.
const MAX_BATCH_PICTURES: usize = 256;
/// Up to this many pictures, a request is small.
const SMALL_REQUEST_PICTURES: usize = 8;
/// How many places for small requests there are beside the queue's capacity, as a part of it.
const SMALL_REQUEST_PART: usize = 8;

/// The predictions for one request.
pub(crate) struct InferenceOutput {
    /// One prediction per picture, in order.
    pub(crate) predictions: Vec<Prediction>,
    /// The model that made them.
    pub(crate) model: Arc<Classifier>,
}

/// A handle to the queue and to the model in use.
pub(crate) struct InferenceQueue {
    sender: mpsc::Sender<QueuedRequest>,
    /// One permit for each picture that may wait.
    free_places: Arc<Semaphore>,
    capacity: usize,
    /// Further permits, for small requests.
    small_places: Arc<Semaphore>,
    small_capacity: usize,
    model: Arc<RwLock<Arc<Classifier>>>,
}

struct QueuedRequest {
    pictures: Vec<DigitImage>,
    /// Released when the request leaves the queue.
    places: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<InferenceOutput, ApiError>>,
}

impl InferenceQueue {
    /// Starts the inference thread. It ends when the queue is dropped and empty.
    ///
    /// `capacity` limits the pictures that wait, and `batch_wait` (at most [`MAX_BATCH_WAIT`]) how
    /// long a request waits for others to share its batch.
    ///
    /// # Errors
    /// If the system provides no thread.
    pub(crate) fn start(
        model: Classifier,
        capacity: usize,
        batch_wait: Duration,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let model = Arc::new(RwLock::new(Arc::new(model)));
        let capacity = capacity.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let small_capacity = capacity.div_ceil(SMALL_REQUEST_PART);
        let queue = Self {
            sender,
            free_places: Arc::new(Semaphore::new(capacity)),
            capacity,
            small_places: Arc::new(Semaphore::new(small_capacity)),
            small_capacity,
            model: model.clone(),
        };
        let mut batcher = Batcher::new(receiver, batch_wait.min(MAX_BATCH_WAIT));
        // A thread pool of one: the CPU backends would otherwise split work over all processors.
        // Batches are small, and the other processors have connections to serve.
        rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "network".to_owned())
            .build()
            .map_err(io::Error::other)?
            .spawn(move || {
                while let Some(batch) = batcher.next_batch() {
                    let model = current(&model);
                    run_batch(batch, &model, &metrics);
                }
            });
        Ok(queue)
    }

    /// The model in use.
    pub(crate) fn model(&self) -> Arc<Classifier> {
        current(&self.model)
    }

    /// Replaces the model. Batches in progress finish with the old one.
    pub(crate) fn replace_model(&self, model: Classifier) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(model);
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

    /// One prediction per picture, in order.
    ///
    /// # Errors
    /// If the queue has no room, or the device fails.
    pub(crate) async fn predict(
        &self,
        pictures: Vec<DigitImage>,
    ) -> Result<InferenceOutput, ApiError> {
        self.check_count(pictures.len())?;
        let places = self.places(pictures.len()).ok_or_else(|| {
            let message = "the queue is full; retry after 1 second";
            ApiError::new(ApiErrorKind::Unavailable, message)
        })?;
        let (reply, response) = oneshot::channel();
        let ended = || ApiError::new(ApiErrorKind::Internal, "the inference thread has ended");
        self.sender.send(QueuedRequest { pictures, places, reply }).map_err(|_| ended())?;
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

fn current(model: &RwLock<Arc<Classifier>>) -> Arc<Classifier> {
    model.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Forms batches of queued requests.
struct Batcher {
    receiver: mpsc::Receiver<QueuedRequest>,
    /// A request that did not fit into the previous batch.
    postponed: Option<QueuedRequest>,
    /// The number of requests in the previous batch.
    previous_requests: usize,
    batch_wait: Duration,
}

impl Batcher {
    fn new(receiver: mpsc::Receiver<QueuedRequest>, batch_wait: Duration) -> Self {
        Self { receiver, postponed: None, previous_requests: 1, batch_wait }
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
        while pictures < MAX_BATCH_PICTURES {
            let received = match self.receiver.try_recv() {
                Ok(request) => Ok(request),
                Err(_) if batch.len() >= self.previous_requests => break,
                Err(_) => {
                    let remaining = deadline.saturating_duration_since(Instant::now());
                    self.receiver.recv_timeout(remaining)
                }
            };
            match received {
                Ok(request) if pictures + request.pictures.len() > MAX_BATCH_PICTURES => {
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

/// Classifies a batch and sends each request its predictions.
fn run_batch(batch: Vec<QueuedRequest>, model: &Arc<Classifier>, metrics: &Metrics) {
    let mut pictures = Vec::new();
    let mut replies = Vec::with_capacity(batch.len());
    for mut request in batch {
        drop(request.places);
        // The client has disconnected or its time limit has passed.
        if request.reply.is_closed() {
            continue;
        }
        replies.push((request.pictures.len(), request.reply));
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
    // A panic of the device must not end this thread, which serves all later requests.
    let result = catch_unwind(AssertUnwindSafe(|| model.try_predict(&pictures)))
        .map_err(|panic| ApiError::new(ApiErrorKind::Internal, panic_message(panic.as_ref())))
        .and_then(|predictions| predictions.map_err(ApiError::from));
    let mut predictions = match result {
        Ok(predictions) => predictions.into_iter(),
        Err(error) => {
            tracing::error!(reason = error.message, "inference failed");
            for (_, reply) in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    for (count, reply) in replies {
        let predictions = predictions.by_ref().take(count).collect();
        let _ = reply.send(Ok(InferenceOutput { predictions, model: model.clone() }));
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

    fn queue(capacity: usize) -> Arc<InferenceQueue> {
        let model = Classifier::shipped(&backend::cpu()).unwrap();
        let metrics = Metrics::default();
        InferenceQueue::start(model, capacity, MAX_BATCH_WAIT, metrics).unwrap().into()
    }

    fn picture(grey: f32) -> DigitImage {
        DigitImage::from_array([grey; 784])
    }

    #[tokio::test]
    async fn each_request_gets_the_predictions_of_its_own_pictures_from_a_shared_batch() {
        let queue = queue(1000);
        let counts = [1, 3, 2, 300, 1];
        let pictures = |index: usize| -> Vec<_> {
            (0..counts[index]).map(|n| picture((index * 300 + n) as f32 / 1500.0)).collect()
        };
        let requests: Vec<_> = (0..counts.len())
            .map(|index| {
                let (queue, pictures) = (queue.clone(), pictures(index));
                tokio::spawn(async move { queue.predict(pictures).await })
            })
            .collect();
        for (index, request) in requests.into_iter().enumerate() {
            let alone = queue.model().predict(&pictures(index));
            let together = request.await.unwrap().unwrap().predictions;
            assert_eq!(together.len(), counts[index]);
            for (a, b) in together.iter().zip(&alone) {
                // The order of additions may differ with the size of a batch.
                let difference = |(a, b): (&f32, &f32)| (a - b).abs();
                assert!(a.logits.iter().zip(&b.logits).map(difference).all(|d| d < 1e-4));
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_is_unavailable_and_a_request_above_its_capacity_is_too_large() {
        let queue = queue(20);
        let _most = queue.free_places.clone().try_acquire_many_owned(19).unwrap();
        assert_eq!(queue.waiting(), 19);
        let full = queue.predict(vec![picture(0.0); 9]).await.err().unwrap();
        assert_eq!(full.kind, ApiErrorKind::Unavailable);
        let above = queue.predict(vec![picture(0.0); 21]).await.err().unwrap();
        assert_eq!(above.kind, ApiErrorKind::TooLarge);
        assert_eq!(queue.predict(vec![picture(0.0)]).await.unwrap().predictions.len(), 1);
    }

    #[tokio::test]
    async fn large_requests_do_not_take_the_places_of_small_ones() {
        let queue = queue(20);
        let _all = queue.free_places.clone().try_acquire_many_owned(20).unwrap();
        assert!(queue.predict(vec![picture(0.0); 9]).await.is_err());
        assert_eq!(queue.predict(vec![picture(0.0); 3]).await.unwrap().predictions.len(), 3);
        let too_many = queue.predict(vec![picture(0.0); 4]).await.err().unwrap();
        assert_eq!(too_many.kind, ApiErrorKind::Unavailable);
    }

    #[test]
    fn a_batch_ends_before_a_request_that_would_exceed_the_maximum() {
        let (sender, receiver) = mpsc::channel();
        let free_places = Arc::new(Semaphore::new(1000));
        for count in [1, 200, 100, 300, 1] {
            let (reply, _) = oneshot::channel();
            let places = free_places.clone().try_acquire_owned().unwrap();
            let pictures = vec![picture(0.0); count];
            sender.send(QueuedRequest { pictures, places, reply }).unwrap();
        }
        drop(sender);
        let mut batcher = Batcher::new(receiver, MAX_BATCH_WAIT);
        let sizes = std::iter::from_fn(|| batcher.next_batch())
            .map(|batch| batch.iter().map(|request| request.pictures.len()).collect::<Vec<_>>());
        assert_eq!(sizes.collect::<Vec<_>>(), [vec![1, 200], vec![100], vec![300], vec![1]]);
    }
}
