//! The end of a replay that is not identical: say what was expected and what happened, and stop.
//!
//! The report goes to the session's memory; the companion, which may use libraries and has a working
//! standard error, reads our registers and memory, adds a backtrace, prints, and ends all processes.

use crate::start::maps::Mapping;
use crate::stop::spot;
use crate::thread::{self, Thread};
use crate::{kernel, log, order, process, watch};
use core::fmt::Write;
use core::sync::atomic::Ordering;
use tracer_core::event::{Header, ItemHeader, Kind, Operation};
use tracer_core::session::{Report, slot_state};
use tracer_core::syscalls::{self, Syscall};

/// Text in the report, cut where it is full.
struct Text<'a> {
    report: &'a mut Report,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            let at = self.report.text_length as usize;
            if at < self.report.text.len() {
                self.report.text[at] = byte;
                self.report.text_length += 1;
            }
        }
        Ok(())
    }
}

/// Stops the replay with a report whose text `write` composes.
fn report(thread: &mut Thread, write: impl FnOnce(&mut dyn Write) -> core::fmt::Result) -> ! {
    let control = process::control();
    if control.report_state.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
        // SAFETY: the exchange made us the only writer; readers wait for state 2.
        let report = unsafe { &mut *control.report.get() };
        let (real_process, real_thread) = kernel::real_ids();
        report.stream = thread.stream;
        report.process = real_process;
        report.thread = real_thread;
        report.event = thread.events.saturating_sub(1);
        report.text_length = 0;
        // SAFETY: the frame is set for as long as a hook runs.
        if let Some(frame) = unsafe { thread.frame.as_ref() } {
            report.registers = [
                frame.rax,
                frame.rdi,
                frame.rsi,
                frame.rdx,
                frame.r10,
                frame.r8,
                frame.r9,
                frame.rbx,
                frame.rbp,
                frame.r12,
                frame.r13,
                frame.r14,
                frame.r15,
                frame.rsp,
                frame.rip,
                frame.rflags,
            ];
        } else if let Some([rbp, caller]) = log::read_value::<[u64; 2]>(thread.register.program_stack) {
            // In a hook of an operation (`order::objects`), which keeps rbp there, below where it returns to.
            const KEPT: u64 = 16;
            report.registers = [0; 16];
            report.registers[8] = rbp;
            report.registers[13] = thread.register.program_stack + KEPT;
            report.registers[14] = caller;
        }
        let mut text = Text { report };
        let _ = write(&mut text);
        if order::is_parallel() {
            let _ = text.write_str(HINT);
            if spot::is_inexact() {
                let _ = text.write_str(INEXACT);
            }
        }
        control.report_state.store(2, Ordering::Release);
    }
    watch::alone::stay_behind(thread);
    wait_for_the_end(thread, slot_state::DIVERGED)
}

/// Tells the companion and stays until it kills us. Without a companion there is nobody to be told.
fn wait_for_the_end(thread: &mut Thread, state: u32) -> ! {
    let slot = &process::control().slots[thread.slot];
    slot.state.store(state, Ordering::Release);
    loop {
        thread::wake_companion();
        if kernel::hung_up(process::get().socket) {
            kernel::exit(125);
        }
        let seen = slot.program_wake.0.load(Ordering::SeqCst);
        kernel::futex_wait(&slot.program_wake.0, seen, 250);
    }
}

/// The stream ends here although the thread goes on: the recording was cut short.
pub fn ends_early(thread: &mut Thread) -> ! {
    order::sleep_until_the_end(thread);
    if thread.stream != 0 {
        // A process that its recording's end found alive was killed there; its parent's log says how.
        let slot = &process::control().slots[thread.slot];
        slot.cut_short.store(process::get().real_id, Ordering::Relaxed);
        process::die_by_signal(libc::SIGKILL);
    }
    wait_for_the_end(thread, slot_state::STARVED)
}

fn kind_name(header: &Header) -> &'static str {
    match Kind::from_byte(header.kind) {
        Some(Kind::Start) => "the start of a program image",
        Some(Kind::Call) => "system call",
        Some(Kind::Entry) => "final system call",
        Some(Kind::Clock) => "clock read",
        Some(Kind::Instruction) => "trapped instruction",
        Some(Kind::Signal) => "signal",
        Some(Kind::Check) => "state check",
        Some(Kind::Turn) => "hand-over",
        Some(Kind::Note) => "note",
        Some(Kind::Stop) => "a stop between two instructions",
        Some(Kind::Operation) => "an operation on a synchronisation object",
        None => "an unknown event",
    }
}

fn call_name(number: u16) -> &'static str {
    syscalls::lookup(number as u64).map_or("?", |syscall| syscall.name)
}

fn write_call(text: &mut dyn Write, syscall: &Syscall, arguments: &[u64; 6]) -> core::fmt::Result {
    write!(text, "{}(", syscall.name)?;
    for (i, argument) in syscall.arguments.iter().enumerate() {
        write!(text, "{}{}={:#x}", if i == 0 { "" } else { ", " }, argument.name, arguments[i])?;
    }
    writeln!(text, ")")
}

/// The program makes a call, but another event is next.
pub fn other_event(thread: &mut Thread, next: Header, syscall: &Syscall, arguments: &[u64; 6]) -> ! {
    let arguments = *arguments;
    report(thread, |text| {
        write!(text, "expected: {}", kind_name(&next))?;
        match Kind::from_byte(next.kind) {
            Some(Kind::Call | Kind::Entry | Kind::Clock) => write!(text, " {}", call_name(next.number))?,
            Some(Kind::Operation) => write!(text, ": {}", operation_name(next.number))?,
            _ => write!(text, " {}", next.number)?,
        }
        write!(text, "\nhappened: ")?;
        write_call(text, syscall, &arguments)
    })
}

/// The thread comes to where it was stopped again and again, but never in that state.
pub fn no_such_state(thread: &mut Thread, address: u64) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: to be stopped at {address:#x} with the recorded registers and memory")?;
        writeln!(text, "happened: the memory is other each time")
    })
}

/// The thread computes, and does not come to the state in which it was stopped.
pub fn state_not_reached(thread: &mut Thread, address: u64, seconds: u64) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: to be stopped at {address:#x} with the recorded registers and memory")?;
        writeln!(text, "happened: {seconds} s of processor time without that state")
    })
}

/// The right call with other arguments.
pub fn other_arguments(
    thread: &mut Thread,
    syscall: &Syscall,
    arguments: &[u64; 6],
    logged: &[u64; 6],
    result: i64,
) -> ! {
    let (arguments, logged) = (*arguments, *logged);
    report(thread, |text| {
        write!(text, "expected: ")?;
        write_call(text, syscall, &logged)?;
        writeln!(text, "          = {result}")?;
        write!(text, "happened: ")?;
        write_call(text, syscall, &arguments)
    })
}

/// The right call, made with another string.
pub fn other_text(thread: &mut Thread, syscall: &Syscall, argument: u8, logged: &[u8], present: &[u8]) -> ! {
    let (mut expected, mut happened) = ([0u8; 256], [0u8; 256]);
    expected[..logged.len()].copy_from_slice(logged);
    happened[..present.len()].copy_from_slice(present);
    let length = logged.len();
    report(thread, |text| {
        writeln!(
            text,
            "expected: {}, argument {argument} = \"{}\"",
            syscall.name,
            expected[..length].escape_ascii()
        )?;
        writeln!(
            text,
            "happened: {}, argument {argument} = \"{}\"",
            syscall.name,
            happened[..length].escape_ascii()
        )
    })
}

/// The right call, made with other data.
pub fn other_input(
    thread: &mut Thread,
    syscall: &Syscall,
    item: &ItemHeader,
    bytes: u64,
    prefix: &[u8],
) -> ! {
    let mut expected = [0u8; 32];
    let length = prefix.len().min(expected.len());
    expected[..length].copy_from_slice(&prefix[..length]);
    let mut present = [0u8; 32];
    let readable =
        tracer_core::syscalls::Memory::read(&crate::log::ProgramMemory, item.value, &mut present[..length]);
    let (address, argument) = (item.value, item.argument);
    report(thread, |text| {
        writeln!(
            text,
            "expected: {}, argument {argument}: {bytes} bytes at {address:#x} beginning \"{}\"",
            syscall.name,
            expected[..length].escape_ascii()
        )?;
        if readable {
            writeln!(text, "happened: other bytes, beginning \"{}\"", present[..length].escape_ascii())
        } else {
            writeln!(text, "happened: these bytes cannot be read")
        }
    })
}

/// Something that is not a call happens, but another event is next.
pub fn other_kind(thread: &mut Thread, next: Header, what: &[u8]) -> ! {
    let mut happened = [0u8; 96];
    let length = what.len().min(happened.len());
    happened[..length].copy_from_slice(&what[..length]);
    report(thread, |text| {
        writeln!(text, "expected: {} {} ({})", kind_name(&next), next.number, call_name(next.number))?;
        writeln!(text, "happened: {}", happened[..length].escape_ascii())
    })
}

fn operation_name(number: u16) -> &'static str {
    Operation::from_number(number).map_or("?", Operation::name)
}

/// The thread operates on an object, but the recorded one did so on another one, or otherwise.
pub fn other_operation(
    thread: &mut Thread,
    number: u16,
    object: u64,
    operation: Operation,
    present: u64,
) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: {}({object:#x})", operation_name(number))?;
        writeln!(text, "happened: {}({present:#x})", operation.name())
    })
}

/// The thread operates on an object that another one has used since it did; in the recording none had.
pub fn unexpected_operation(thread: &mut Thread, operation: Operation, object: u64, last: Option<u32>) -> ! {
    let (next, passes) = (thread.next, thread.passes);
    report(thread, |text| {
        writeln!(text, "expected: nobody else to have used the object at {object:#x} since this thread did")?;
        write!(text, "happened: {}({object:#x}) after ", operation.name())?;
        match last {
            Some(stream) => writeln!(text, "stream {stream}")?,
            None => writeln!(text, "nobody")?,
        }
        if let Some(next) = next {
            writeln!(
                text,
                "logged next: {} {} (this is operation {passes} of the thread)",
                kind_name(&next),
                next.number
            )?;
        }
        Ok(())
    })
}

/// An object was operated on more often than in the recording.
pub fn other_place(thread: &mut Thread, operation: Operation, object: u64, logged: u64, now: u64) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: {}({object:#x}) after {logged} operations on it", operation.name())?;
        writeln!(text, "happened: there were {now}")
    })
}

/// Memory was accessed more often than in the recording before this access.
pub fn other_access(thread: &mut Thread, object: u64, logged: u64, now: u64, last: Option<u32>) -> ! {
    let stream = thread.stream;
    report(thread, |text| {
        writeln!(
            text,
            "expected: stream {stream} to write to the 64 bytes at {object:#x} after {logged} accesses to them"
        )?;
        write!(text, "happened: there were {now}")?;
        match last {
            Some(last) => writeln!(text, ", the last one by stream {last}: these two race there")?,
            None => writeln!(text)?,
        }
        Ok(())
    })
}

/// Nobody does anything any more, and what this thread waits for has not come.
pub fn stalled(thread: &mut Thread, what: &'static str, place: u64) -> ! {
    let next = thread.next;
    report(thread, |text| {
        write!(text, "expected: {what} {place} to be reached, for ")?;
        match next {
            Some(next) => writeln!(text, "{} {}", kind_name(&next), next.number)?,
            None => writeln!(text, "what comes next")?,
        }
        writeln!(text, "happened: all threads wait for each other")
    })
}

/// What a divergence in sync order most often means.
const HINT: &str = "threads may share something that no lock protects (a data race, or atomics), which `imitate races` may name: \
                    record with --order serial, or rebuild the program with imitate cc\n";
/// What it means if a signal had to be delivered to a thread that computes.
const INEXACT: &str = "a signal may have come to a computing thread at another passage of the recorded instruction, which sync order \
                       does not tell apart: record with --order serial\n";

/// The outcome of an executed call is not the recorded one.
pub fn other_result(
    thread: &mut Thread,
    syscall: &Syscall,
    arguments: &[u64; 6],
    logged: i64,
    now: i64,
) -> ! {
    let arguments = *arguments;
    report(thread, |text| {
        write!(text, "call:     ")?;
        write_call(text, syscall, &arguments)?;
        writeln!(text, "expected: {logged:#x}")?;
        writeln!(text, "happened: {now:#x}")
    })
}

/// A state hash differs.
pub fn other_state(thread: &mut Thread, what: &'static str, logged: u64, now: u64) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: {what} with hash {logged:016x}")?;
        writeln!(text, "happened: {what} with hash {now:016x}")
    })
}

/// The program's memory is not as it was: a logged output has nowhere to go.
pub fn unwritable(thread: &mut Thread, address: u64, length: usize) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: {length} writable bytes at {address:#x}, where the kernel wrote")?;
        writeln!(text, "happened: they cannot be written")
    })
}

/// The trace itself is wrong.
pub fn damaged(thread: &mut Thread, what: &'static [u8]) -> ! {
    report(thread, |text| writeln!(text, "the trace is damaged: {}", what.escape_ascii()))
}

/// Replay needs something that it cannot have here.
pub fn impossible(thread: &mut Thread, what: &'static str, detail: &[u8], error: i32) -> ! {
    let mut copy = [0u8; 256];
    let length = detail.len().min(copy.len());
    copy[..length].copy_from_slice(&detail[..length]);
    report(thread, |text| writeln!(text, "cannot {what} {}: errno {error}", copy[..length].escape_ascii()))
}

/// Something is mapped elsewhere than in the recording.
pub fn other_layout(thread: &mut Thread, logged: Option<Mapping>, present: Option<Mapping>) -> ! {
    let line = |text: &mut dyn Write, what: &str, mapping: Option<Mapping>| match mapping {
        Some(mapping) => {
            writeln!(text, "{what} {:#x}-{:#x} {}", mapping.begin, mapping.end, mapping.name.escape_ascii())
        }
        None => writeln!(text, "{what} no further mapping"),
    };
    report(thread, |text| {
        line(text, "expected:", logged)?;
        line(text, "happened:", present)
    })
}

/// A child process ended in another way than it did.
pub fn other_end(thread: &mut Thread, child: u32, logged: u32, now: u32) -> ! {
    report(thread, |text| {
        writeln!(text, "expected: child process {child} to end with wait status {logged:#x}")?;
        writeln!(text, "happened: it ended with wait status {now:#x}")
    })
}
