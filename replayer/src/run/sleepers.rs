//! Which threads of a recording sleep in the kernel: one with a list of hand-overs asks
//! ([`tracer_core::session::schedule`]), because the program itself cannot find out without a descriptor that its own code
//! might see.

use super::attendant::{Attendant, wake};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::session::schedule::answer;
use tracer_core::session::{Control, Slot};

/// Begins to answer.
pub fn begin(control: Arc<ControlMapping>) -> Attendant<()> {
    Attendant::begin(control, |control| &control.schedule.questions, (), |(), control| answer_all(control))
}

fn answer_all(control: &Control) {
    for slot in control.used_slots() {
        if slot.question.swap(0, Ordering::Acquire) != 0 {
            slot.answer.store(state(slot), Ordering::Release);
            wake(&slot.answer);
        }
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
