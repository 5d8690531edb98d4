//! A thread of the tool that does something for a recorded program, whenever that asks: it sleeps on a word of the session, which
//! changes then.

use rustix::thread::futex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::session::Control;

/// Whoever attends, for as long as a recording goes on, and what it has come to know.
pub struct Attendant<T> {
    shared: Arc<Shared>,
    thread: JoinHandle<T>,
}

struct Shared {
    control: Arc<ControlMapping>,
    word: fn(&Control) -> &AtomicU32,
    is_over: AtomicBool,
}

impl<T: Send + 'static> Attendant<T> {
    /// Begins: `attend` is called when the word has changed.
    pub fn begin(
        control: Arc<ControlMapping>,
        word: fn(&Control) -> &AtomicU32,
        mut known: T,
        mut attend: impl FnMut(&mut T, &Control) + Send + 'static,
    ) -> Attendant<T> {
        let shared = Arc::new(Shared { control, word, is_over: AtomicBool::new(false) });
        let watched = shared.clone();
        let thread = std::thread::spawn(move || {
            watched.attend(|control| attend(&mut known, control));
            known
        });
        Attendant { shared, thread }
    }

    /// The recording has ended. What is known, if anything was asked; `None` after a panic, which has been told.
    pub fn finish(self) -> Option<(T, bool)> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let word = (self.shared.word)(&self.shared.control);
        let was_asked = word.fetch_add(1, Ordering::SeqCst) != 0;
        wake(word);
        self.thread.join().ok().map(|known| (known, was_asked))
    }
}

impl Shared {
    fn attend(&self, mut attend: impl FnMut(&Control)) {
        let word = (self.word)(&self.control);
        let mut seen = 0;
        loop {
            let now = word.load(Ordering::SeqCst);
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            if now == seen {
                // Woken, interrupted, or the word has changed: whichever it is, it is looked at.
                let _ = futex::wait(word, futex::Flags::empty(), now, None);
                continue;
            }
            seen = now;
            attend(&self.control);
        }
    }
}

/// Wakes all who sleep on a word of the session.
pub fn wake(word: &AtomicU32) {
    // It fails only for addresses that are none.
    let _ = futex::wake(word, futex::Flags::empty(), u32::MAX);
}
