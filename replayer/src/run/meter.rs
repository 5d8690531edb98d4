//! How far a long replay has come, on a terminal.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracer_core::companion::Started;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::message;
use tracer_core::session::slot_state;
use tracer_core::trace::chunk::Index;
use tracer_core::trace::directory::events_path;

/// Time between looks, and before the first: shorter replays show nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// A meter for a replay that is about to begin.
pub struct Meter {
    control: ControlMapping,
    /// Bytes of all streams.
    total: u64,
    /// Bytes consumed of each stream.
    consumed: HashMap<u32, u64>,
}

/// A meter at work; it stops when this is dropped.
pub struct Running {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Meter {
    /// `None` if stderr is no terminal, or if there is nothing to measure.
    pub fn new(directory: &Path, started: &Started) -> Option<Meter> {
        if !std::io::stderr().is_terminal() {
            return None;
        }
        let control = ControlMapping::new(started.program.as_ref()?.memory.as_fd()).ok()?;
        let index = Index::open(&events_path(directory)).ok()?;
        let total = index.streams().map(|stream| stream.bytes).sum();
        (total > 0).then_some(Meter { control, total, consumed: HashMap::new() })
    }

    /// Starts a thread; to be called once no process is forked any more.
    pub fn run(mut self) -> Running {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let shares_screen = std::io::stdout().is_terminal();
            let mut drawn = false;
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // Once the program has written, the screen is the program's.
                if shares_screen && self.has_output() {
                    return;
                }
                // The cursor goes back without erasing: what the program writes next takes the meter's place.
                message::write(format!("imitate: replaying {:3} %\r", self.percent()));
                drawn = true;
            }
            if drawn && !self.has_output() {
                message::write("\x1b[K");
            }
        });
        Running { stop: Some(stop), thread: Some(thread) }
    }

    fn has_output(&self) -> bool {
        self.control.output_ticket.0.load(Ordering::Relaxed) > 0
    }

    fn percent(&mut self) -> u64 {
        for slot in &self.control.slots {
            if slot.state.load(Ordering::Relaxed) == slot_state::LIVE {
                let stream = slot.stream.load(Ordering::Relaxed);
                let tail = slot.tail.0.load(Ordering::Relaxed);
                let known = self.consumed.entry(stream).or_default();
                *known = tail.max(*known);
            }
        }
        // What the feeder turns references into makes streams longer than they are on disk.
        (self.consumed.values().sum::<u64>().saturating_mul(100) / self.total).min(100)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A meter that has panicked has said so; the replay is what counts.
            let _ = thread.join();
        }
    }
}
