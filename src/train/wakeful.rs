//! rayon's threads, kept awake while a run goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{hint, thread};

use rayon::Yield;

/// More threads than this would find nothing to do in a step of this network.
const MOST: usize = 8;

/// Glances for work before the operating system may give the core to somebody else.
const GLANCES: u32 = 64;

/// Runs `work` on a thread of rayon's pool, the others awake beside it.
///
/// A step hands work over a dozen times, some 10 to 100 µs apart. From a thread of the pool to one that
/// is awake this takes 1 µs; but rayon's threads fall asleep within about 10 µs, and to be woken takes
/// as long again or longer.
///
/// Where the pool has one thread, `work` stays out of it: Burn's thread for metrics may want the pool
/// while `work` waits for it, and nobody would be left to serve it.
pub fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() == 1 {
        return work();
    }
    let is_done = AtomicBool::new(false);
    rayon::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(MOST) {
            scope.spawn(|_| wait(&is_done));
        }
        // Set also where `work` panics, or the scope would wait for ever.
        let _done = OnDrop(&is_done);
        work()
    })
}

/// Takes up whatever is handed over.
fn wait(is_done: &AtomicBool) {
    let mut glances = 0;
    while !is_done.load(Ordering::Relaxed) {
        if rayon::yield_now() == Some(Yield::Executed) {
            continue;
        }
        glances = (glances + 1) % GLANCES;
        if glances == 0 {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
    }
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
