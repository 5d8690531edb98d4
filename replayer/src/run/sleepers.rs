//! Which threads of a recording sleep in the kernel: one with a list of hand-overs asks
//! ([`tracer_core::session::schedule`]), because the program itself cannot find out without a descriptor that its own code
//! might see.

use rustix::thread::futex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::session::Slot;
use tracer_core::session::schedule::answer;

/// Whoever answers, for as long as a recording goes on.
pub struct Sleepers {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    control: Arc<ControlMapping>,
    is_over: AtomicBool,
}

impl Sleepers {
    /// Begins to answer.
    pub fn begin(control: Arc<ControlMapping>) -> Sleepers {
        let shared = Arc::new(Shared { control, is_over: AtomicBool::new(false) });
        let asked = shared.clone();
        Sleepers { shared, thread: std::thread::spawn(move || answer_all(&asked)) }
    }

    /// The recording has ended.
    pub fn finish(self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let questions = &self.shared.control.schedule.questions;
        questions.fetch_add(1, Ordering::SeqCst);
        wake(questions);
        // A panic there has been told.
        let _ = self.thread.join();
    }
}

fn answer_all(shared: &Shared) {
    let questions = &shared.control.schedule.questions;
    while !shared.is_over.load(Ordering::SeqCst) {
        let seen = questions.load(Ordering::SeqCst);
        for slot in shared.control.used_slots() {
            if slot.question.swap(0, Ordering::Acquire) != 0 {
                slot.answer.store(state(slot), Ordering::Release);
                wake(&slot.answer);
            }
        }
        // Woken, interrupted, or the word has changed: whichever it is, it is looked at.
        let _ = futex::wait(questions, futex::Flags::empty(), seen, None);
    }
}

/// What the kernel does with the thread (proc_pid_stat(5)). In a disk's sleep (D) it does not wait for the program's other threads.
fn state(slot: &Slot) -> u32 {
    let [process, thread] = [&slot.process, &slot.thread].map(|id| id.load(Ordering::Relaxed));
    let line = std::fs::read(format!("/proc/{process}/task/{thread}/stat")).unwrap_or_default();
    // The program can have any name, in parentheses.
    let behind = line.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 2);
    match line.get(behind) {
        Some(b'R' | b'D') => answer::RUNS,
        _ => answer::SLEEPS,
    }
}

fn wake(word: &AtomicU32) {
    // It fails only for addresses that are none.
    let _ = futex::wake(word, futex::Flags::empty(), u32::MAX);
}
