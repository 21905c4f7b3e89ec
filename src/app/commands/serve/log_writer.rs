//! The log of `serve` on standard error, written by a thread of its own.
//!
//! Standard error may be a pipe that nobody reads, or a file on a full disk. Serving goes on: lines
//! that can't be written are dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written.
const QUEUED_LINES: usize = 1024;
/// How long [`LogWriter::finish`] waits.
const FINISH_TIME: Duration = Duration::from_millis(200);

enum Message {
    Line(Vec<u8>),
    /// Asks for an answer once everything before it is written.
    Finish(SyncSender<()>),
}

/// Writes lines to standard error without ever waiting for it.
#[derive(Clone)]
pub struct LogWriter {
    messages: SyncSender<Message>,
    lost_lines: Arc<AtomicU64>,
}

impl LogWriter {
    /// Starts the thread. `lost_lines` counts the lines that are dropped.
    ///
    /// # Errors
    /// If the system provides no thread.
    pub fn start(lost_lines: Arc<AtomicU64>) -> io::Result<Self> {
        let (messages, received) = sync_channel(QUEUED_LINES);
        let lost = lost_lines.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&received, &lost))?;
        Ok(Self { messages, lost_lines })
    }

    /// Waits until all lines are written, for 0.2 s at most.
    pub fn finish(&self) {
        let (done, finished) = sync_channel(1);
        if self.messages.try_send(Message::Finish(done)).is_ok() {
            let _ = finished.recv_timeout(FINISH_TIME);
        }
    }
}

fn write_lines(received: &Receiver<Message>, lost_lines: &AtomicU64) {
    for message in received {
        match message {
            Message::Line(line) => {
                if io::stderr().lock().write_all(&line).is_err() {
                    lost_lines.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Finish(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// `tracing_subscriber` passes a whole line at once.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.messages.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost_lines.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
