//! Signals that an instruction of the program caused: they happen again, at the same place, in replay.

use super::{Information, bit, deliver, kernel_side};
use crate::kernel::Line;
use crate::order::objects;
use crate::thread::Thread;
use crate::{debugger, divergence, instruction, log, playback, process, sites, stop, watch};
use core::fmt::Write;
use kmod_shim::arch::native::{
    signal_frame::{MachineContext, UserContext},
    trap::Trapped,
    user_memory,
};
use tracer_core::event::{Kind, Tag};
use tracer_core::session::{Mode, slot_state};

/// Bits of `Header::flags` in `Signal` events.
pub mod flags {
    /// Delivered before the next call is made; otherwise after the call before it.
    pub const AT_ENTRY: u8 = 1;
    /// Delivered when another handler returned, which is not an event by itself.
    pub const AT_RETURN: u8 = 16;
    /// Caused by an instruction.
    pub const FAULT: u8 = 2;
    /// No handler: the process ends.
    pub const FATAL: u8 = 4;
    /// In sync order: delivered to a thread that waits for others in an operation on an object; the item has, as `value`, how
    /// many operations the thread made before.
    pub const IN_OPERATION: u8 = 32;
    /// In sync order: between two instructions of the program, where the thread had come to no safepoint for a while
    /// ([`crate::stop::spot`]); the item has, as `value`, how many operations the thread made before.
    pub const COMPUTING: u8 = 64;
    /// Between two instructions of the program; the event has its state there ([`crate::stop`]).
    pub const STOP: u8 = 8;
}

/// What the kernel keeps of a thread's last fault and shows in the frames of all later signals. Here without faults that are
/// none of the program's.
#[derive(Clone, Copy, Default)]
pub struct LastFault {
    error: u64,
    trap: u64,
    address: u64,
}

impl LastFault {
    /// Takes over what the kernel says about the fault in `machine`.
    fn set(&mut self, machine: &MachineContext) {
        const PAGE_FAULT: u64 = 14;
        self.error = machine.error;
        self.trap = machine.trap;
        if machine.trap == PAGE_FAULT {
            self.address = machine.cr2;
        }
    }

    /// Puts it into a frame for the program.
    pub fn show(&self, machine: &mut MachineContext) {
        machine.error = self.error;
        machine.trap = self.trap;
        machine.cr2 = self.address;
    }
}

/// `si_code` of a fault that has no page behind it, such as a privileged or trapped instruction.
const SI_KERNEL: i32 = 0x80;

/// Decides what a fault means.
pub fn handle(thread: &mut Thread, signal: i32, information: &mut Information, context: &mut UserContext) {
    let machine = &mut context.machine;
    if watch::accesses::handle(thread, signal, machine) {
        return;
    }
    decide(thread, signal, information, context);
    watch::accesses::after_signal(thread, &context.machine);
}

fn decide(thread: &mut Thread, signal: i32, information: &mut Information, context: &mut UserContext) {
    let machine = &mut context.machine;
    if signal == libc::SIGTRAP && debugger::was_hit(thread, information, machine) {
        return;
    }
    if signal == libc::SIGILL && debugger::is_passage(machine.rip) {
        return stop::pass(thread, machine);
    }
    if stop::end_step(thread, machine) && signal == libc::SIGTRAP {
        return;
    }
    if signal == libc::SIGSEGV && (stop::refused(thread, machine) || permit(thread, machine)) {
        return;
    }
    if matches!(signal, libc::SIGSEGV | libc::SIGBUS)
        && let Some(elsewhere) = user_memory::recover(machine.rip)
    {
        // `rep movsb` has rcx left in either way of copying.
        machine.rip = elsewhere;
        return;
    }
    if signal == libc::SIGILL
        && let Some(caught) = sites::exclusively(|sites| sites.caught.at(machine.rip))
    {
        instruction::perform_caught(thread, caught, machine);
        return;
    }
    if signal == libc::SIGTRAP
        && sites::exclusively(|sites| sites.generated.ends_visit(machine))
        && stop::without_changes(thread, || sites::exclusively(|sites| sites.return_from_visit(machine)))
    {
        return;
    }
    if matches!(signal, libc::SIGTRAP | libc::SIGILL) && stop::trapped(thread, signal, context) {
        return;
    }
    let machine = &mut context.machine;
    let lacking = objects::lacks_object(machine.rip, machine.cr2);
    if let Some(objects::Lacking::GoOn(function)) = lacking {
        machine.rip = function;
        return;
    }
    if lacking.is_none() && crate::start::is_our_code(machine.rip) {
        complain(signal, information, machine);
        kernel_side::set_default(signal);
        return;
    }
    if signal == libc::SIGSEGV
        && super::code_of(information) == SI_KERNEL
        && let Some(code) = log::read_value::<[u8; 3]>(machine.rip)
        && let Some(trapped) = Trapped::decode(code)
    {
        instruction::perform(thread, trapped, machine);
        return;
    }
    if debugger::is_on() && debugger::stops_at(thread, machine) {
        return;
    }
    if crate::order::is_parallel() {
        crate::order::enter(thread);
    }
    program_fault(thread, signal, information, context);
    crate::order::exit(thread);
}

/// Whether the fault was one of generated code's, and the instruction can be executed again.
fn permit(thread: &mut Thread, machine: &MachineContext) -> bool {
    sites::exclusively(|sites| sites.generated.protection(machine.cr2)).is_some()
        && stop::without_changes(thread, || sites::exclusively(|sites| sites.permit(machine)))
}

/// Says where our own code failed, and how it came there as far as the stack's words tell: offsets in the library's
/// file, for addr2line.
fn complain(signal: i32, information: &Information, machine: &MachineContext) {
    const WORDS: u64 = 128;
    let address = u64::from_le_bytes(core::array::from_fn(|i| information[16 + i]));
    let stack = (0..WORDS).filter_map(|word| log::read_value(machine.rsp + word * 8));
    let mut line = Line::new();
    let _ = write!(
        line,
        "internal error: a fault inside the library; please report it: signal {signal}, address {address:#x}, at"
    );
    for place in core::iter::once(machine.rip).chain(stack) {
        if let Some(offset) = crate::start::offset_of_code(place) {
            let _ = write!(line, " {offset:#x}");
        }
    }
    line.print();
}

/// The program's own fault.
fn program_fault(thread: &mut Thread, signal: i32, information: &Information, context: &mut UserContext) {
    let action = process::get().actions[signal as usize];
    let handled = action.is_function() && thread.blocked & bit(signal) == 0;
    let flags = flags::FAULT | if handled { 0 } else { flags::FATAL };
    match process::get().mode {
        Mode::Record => {
            stop::faulted(&mut context.machine);
            thread.items.clear();
            thread.items.push_copy(Tag::Output, 0, 0, information);
            log::items_only(thread, Kind::Signal, flags, signal as u16);
        }
        Mode::Replay => {
            let header = playback::plain(thread, Kind::Signal, signal as u16, b"a fault");
            let logged = deliver::logged_information(thread, &header);
            if header.flags != flags || logged[..32] != information[..32] {
                divergence::other_kind(thread, header, b"a fault of another kind or at another address");
            }
        }
    }
    if !handled {
        crate::calls::robust::release_all(thread);
        crate::order::leave_with_process(thread);
        crate::calls::process::end_others(thread);
        process::control().slots[thread.slot]
            .state
            .store(slot_state::FINISHED, core::sync::atomic::Ordering::Release);
        crate::thread::wake_companion();
        // Returning makes the instruction fault again, with nobody to catch it: the same death, the same core.
        kernel_side::set_default(signal);
        return;
    }
    thread.last_fault.set(&context.machine);
    let source = deliver::State { machine: &context.machine, vectors: None };
    let Some(entry) = deliver::push_frame(thread, signal, information, &source) else {
        process::die_by_signal(libc::SIGSEGV)
    };
    deliver::enter_from_context(thread, &mut context.machine, signal, &entry);
    context.mask = kernel_side::mask_for(thread.blocked);
    stop::look(thread);
}
