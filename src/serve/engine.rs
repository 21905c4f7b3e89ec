//! The network at work: requests queue up, one thread takes them in batches.
//!
//! A batch of 64 costs the network little more than a single picture does, so whatever waits goes
//! through it together. The queue is bounded in pictures, so that a burst is refused at once (503)
//! rather than answered too late.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::metrics::Metrics;
use super::refusal::{Kind, Refusal};
use crate::classifier::{Classifier, Prediction};
use crate::picture::Picture;

/// The most pictures of several requests that go through the network together. One request with
/// more of them goes alone.
const LARGEST_BATCH: usize = 256;
/// The longest that a request waits for company.
pub const LONGEST_WAIT: Duration = Duration::from_millis(2);

/// What a request gets: a prediction per picture, and the model that made them.
pub struct Answer {
    /// In the order of the pictures.
    pub predictions: Vec<Prediction>,
    /// The model in use when the batch was made.
    pub model: Arc<Classifier>,
}

/// A handle on the queue and on the model in use.
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    capacity: usize,
    model: Arc<RwLock<Arc<Classifier>>>,
    time_limit: Duration,
}

struct Job {
    pictures: Vec<Picture>,
    /// Given back when the job leaves the queue.
    room: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
}

impl Engine {
    /// Starts the thread. It ends when the engine is dropped and the queue is empty.
    ///
    /// `capacity` bounds the pictures that wait, `wait` (at most [`LONGEST_WAIT`]) how long a
    /// request waits for company, and `time_limit` how long a caller waits for an answer.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        model: Classifier,
        capacity: usize,
        wait: Duration,
        time_limit: Duration,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let model = Arc::new(RwLock::new(Arc::new(model)));
        let capacity = capacity.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let engine = Self {
            jobs,
            room: Arc::new(Semaphore::new(capacity)),
            capacity,
            model: model.clone(),
            time_limit,
        };
        let mut batches = Batches { queue, next: None, last: 1, wait: wait.min(LONGEST_WAIT) };
        // A pool of one: what the CPU backends would split over all processors stays on this
        // thread. Batches are small, and the other processors have connections to serve.
        rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "network".to_owned())
            .build()
            .map_err(io::Error::other)?
            .spawn(move || {
                while let Some(batch) = batches.gather() {
                    let model = read(&model);
                    answer(batch, &model, &metrics);
                }
            });
        Ok(engine)
    }

    /// The model in use.
    pub fn model(&self) -> Arc<Classifier> {
        read(&self.model)
    }

    /// Puts another model in its place. Batches under way finish with the old one.
    pub fn replace(&self, model: Classifier) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(model);
    }

    /// Pictures that wait.
    pub fn waiting(&self) -> usize {
        self.capacity - self.room.available_permits()
    }

    /// One prediction per picture, in order.
    ///
    /// # Errors
    /// If there is no room in the queue, no answer in time, or the device fails.
    pub async fn predict(&self, pictures: Vec<Picture>) -> Result<Answer, Refusal> {
        let count = pictures.len();
        if count > self.capacity {
            return Err(Refusal::new(
                Kind::TooLarge,
                format!(
                    "{count} pictures in one request are too many: the queue has room for {}",
                    self.capacity
                ),
            ));
        }
        // In range: the capacity is.
        let Ok(room) = self.room.clone().try_acquire_many_owned(count as u32) else {
            return Err(Refusal::new(Kind::Busy, "the queue is full; try again in a second"));
        };
        let (reply, answer) = oneshot::channel();
        let gone = || Refusal::new(Kind::Failed, "the network's thread has ended");
        self.jobs.send(Job { pictures, room, reply }).map_err(|_| gone())?;
        match tokio::time::timeout(self.time_limit, answer).await {
            Ok(answer) => answer.map_err(|_| gone())?,
            Err(_) => Err(Refusal::new(
                Kind::Busy,
                format!("no answer within {}", humantime::format_duration(self.time_limit)),
            )),
        }
    }
}

fn read(model: &RwLock<Arc<Classifier>>) -> Arc<Classifier> {
    model.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes batches of what arrives.
struct Batches {
    queue: mpsc::Receiver<Job>,
    /// Taken from the queue, but too large for the batch before.
    next: Option<Job>,
    /// Requests in the batch before.
    last: usize,
    wait: Duration,
}

impl Batches {
    /// The next batch, or none where nobody can send any more.
    ///
    /// It waits for a first request, takes all that wait behind it, and waits for more only where
    /// the batch before had company too: a lone client is answered at once.
    fn gather(&mut self) -> Option<Vec<Job>> {
        let first = match self.next.take() {
            Some(job) => job,
            None => self.queue.recv().ok()?,
        };
        let until = Instant::now() + self.wait;
        let mut pictures = first.pictures.len();
        let mut batch = vec![first];
        while pictures < LARGEST_BATCH {
            let received = match self.queue.try_recv() {
                Ok(job) => Ok(job),
                Err(_) if batch.len() >= self.last => break,
                Err(_) => self.queue.recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(job) if pictures + job.pictures.len() > LARGEST_BATCH => {
                    self.next = Some(job);
                    break;
                }
                Ok(job) => {
                    pictures += job.pictures.len();
                    batch.push(job);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.last = batch.len();
        Some(batch)
    }
}

/// Sends a batch through the network and each request its share of the answer.
fn answer(batch: Vec<Job>, model: &Arc<Classifier>, metrics: &Metrics) {
    let mut pictures = Vec::new();
    let mut waiting = Vec::with_capacity(batch.len());
    for mut job in batch {
        drop(job.room);
        // Whoever hung up gets no work done.
        if job.reply.is_closed() {
            continue;
        }
        waiting.push((job.pictures.len(), job.reply));
        if pictures.is_empty() {
            pictures = job.pictures;
        } else {
            pictures.append(&mut job.pictures);
        }
    }
    if pictures.is_empty() {
        return;
    }
    metrics.batch(pictures.len());
    // A device that panics must not take the requests after this one with it.
    let outcome = catch_unwind(AssertUnwindSafe(|| model.try_predict(&pictures)))
        .map_err(|panic| Refusal::new(Kind::Failed, message(panic.as_ref())))
        .and_then(|predictions| predictions.map_err(Refusal::from));
    let mut predictions = match outcome {
        Ok(predictions) => predictions.into_iter(),
        Err(refusal) => {
            tracing::error!(reason = refusal.reason, "the network failed");
            for (_, reply) in waiting {
                let _ = reply.send(Err(refusal.clone()));
            }
            return;
        }
    };
    for (count, reply) in waiting {
        let predictions = predictions.by_ref().take(count).collect();
        let _ = reply.send(Ok(Answer { predictions, model: model.clone() }));
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the network failed: {}", text.unwrap_or("for a reason it didn't give"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;

    fn engine(capacity: usize) -> Engine {
        let model = Classifier::shipped(&backend::cpu()).unwrap();
        let limit = Duration::from_secs(10);
        Engine::start(model, capacity, LONGEST_WAIT, limit, Metrics::default()).unwrap()
    }

    fn picture(grey: f32) -> Picture {
        Picture::from_array([grey; 784])
    }

    #[tokio::test]
    async fn each_request_gets_its_own_answers_from_a_batch_of_many() {
        let engine = engine(1000);
        let counts = [1, 3, 2, 300, 1];
        let pictures = |index: usize| -> Vec<_> {
            (0..counts[index]).map(|n| picture((index * 300 + n) as f32 / 1500.0)).collect()
        };
        let requests = (0..counts.len()).map(|index| engine.predict(pictures(index)));
        for (index, answer) in futures_in_order(requests).await.into_iter().enumerate() {
            let alone = engine.model().predict(&pictures(index));
            let together = answer.unwrap().predictions;
            assert_eq!(together.len(), counts[index]);
            for (a, b) in together.iter().zip(&alone) {
                // The order of additions may differ with the size of a batch.
                let difference = |(a, b): (&f32, &f32)| (a - b).abs();
                assert!(a.logits.iter().zip(&b.logits).map(difference).all(|d| d < 1e-4));
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_request_that_never_fits_is_told_so() {
        let engine = engine(4);
        let _all = engine.room.clone().try_acquire_many_owned(3).unwrap();
        assert_eq!(engine.waiting(), 3);
        let busy = engine.predict(vec![picture(0.0); 2]).await.err().unwrap();
        assert_eq!(busy.kind, Kind::Busy);
        let never = engine.predict(vec![picture(0.0); 5]).await.err().unwrap();
        assert_eq!(never.kind, Kind::TooLarge);
        assert_eq!(engine.predict(vec![picture(0.0)]).await.unwrap().predictions.len(), 1);
    }

    #[test]
    fn a_batch_ends_before_a_request_that_would_make_it_too_large() {
        let (jobs, queue) = mpsc::channel();
        let room = Arc::new(Semaphore::new(1000));
        for count in [1, 200, 100, 300, 1] {
            let (reply, _) = oneshot::channel();
            let room = room.clone().try_acquire_owned().unwrap();
            jobs.send(Job { pictures: vec![picture(0.0); count], room, reply }).unwrap();
        }
        drop(jobs);
        let mut batches = Batches { queue, next: None, last: 1, wait: LONGEST_WAIT };
        let sizes = std::iter::from_fn(|| batches.gather())
            .map(|batch| batch.iter().map(|job| job.pictures.len()).collect::<Vec<_>>());
        assert_eq!(sizes.collect::<Vec<_>>(), [vec![1, 200], vec![100], vec![300], vec![1]]);
    }

    /// All at once, the results in order.
    async fn futures_in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
        let mut waiting: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
        let mut done: Vec<_> = waiting.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (future, done) in waiting.iter_mut().zip(&mut done) {
                if let Some(running) = future
                    && let std::task::Poll::Ready(output) = running.as_mut().poll(context)
                {
                    *done = Some(output);
                    *future = None;
                }
            }
            if waiting.iter().all(Option::is_none) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        done.into_iter().flatten().collect()
    }
}
