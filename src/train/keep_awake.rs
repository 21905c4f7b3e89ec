//! Keeps rayon's idle threads spinning during training on a CPU, so that they take up work at once.
//!
//! A training step starts parallel work a dozen times, 10 to 100 µs apart. A spinning thread takes
//! it up within 1 µs. Left alone, rayon's threads fall asleep after about 10 µs without work, and
//! waking one takes as long again or longer.
//!
//! The cost is processor time: up to seven cores besides the one that trains are busy for the whole
//! run, working or not. [`RunOptions::keep_awake`](super::RunOptions::keep_awake) turns this off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{hint, thread};

use rayon::Yield;

/// A step of this network has no work for more threads than this.
const MAX_THREADS_AWAKE: usize = 8;

/// Looks for work between two calls that let the operating system give the core to another program.
const SPINS_PER_YIELD: u32 = 64;

/// Runs `work` on a thread of rayon's pool while the other threads of the pool stay awake.
///
/// If the pool has a single thread, `work` runs on the calling thread instead: Burn's metrics
/// thread may use the pool while `work` waits for it, and no thread would be left to serve it.
pub(super) fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() == 1 {
        return work();
    }
    let is_done = AtomicBool::new(false);
    rayon::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(MAX_THREADS_AWAKE) {
            scope.spawn(|_| spin_until(&is_done));
        }
        // Also set if `work` panics; otherwise the scope would wait forever.
        let _done = SetOnDrop(&is_done);
        work()
    })
}

/// Executes the pool's work as it comes, and spins in between.
fn spin_until(is_done: &AtomicBool) {
    let mut spins = 0;
    while !is_done.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(Yield::Executed) {
            continue;
        }
        spins = (spins + 1) % SPINS_PER_YIELD;
        if spins == 0 {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
