//! rdtsc, rdtscp and cpuid: executed and logged, or answered from the log.

use crate::sites::{self, caught::Caught};
use crate::thread::Thread;
use crate::{debugger, log, order, playback, process, processor, stop, time_stamps};
use kmod_shim::arch::native::{
    signal_frame::MachineContext,
    trap::{self, Results, Trapped},
};
use tracer_core::event::{Instruction, Kind};
use tracer_core::session::Mode;

/// Performs an instruction that was replaced.
pub fn perform_caught(thread: &mut Thread, caught: Caught, machine: &mut MachineContext) {
    if let Caught::Instruction(trapped) = caught {
        return perform(thread, trapped, machine);
    }
    let registers = stop::registers(machine);
    let passed = sites::exclusively(|sites| sites.caught.pass(machine.rip, &registers));
    let Some((target, spins)) = passed else { return };
    machine.rip = target;
    if spins {
        order::at_spin(thread);
        stop::look(thread);
    }
}

/// Executes an instruction for the program, with these in rax, rbx, rcx, rdx.
fn execute(trapped: Trapped, before: Results) -> Results {
    let mut results = trap::execute(trapped, before);
    if trapped == Trapped::Cpuid {
        processor::hide(before[0] as u32, before[2] as u32, &mut results);
    } else {
        time_stamps::restore();
    }
    results
}

/// Performs a trapped instruction for the program.
pub fn perform(thread: &mut Thread, trapped: Trapped, machine: &mut MachineContext) {
    let number = match trapped {
        Trapped::Rdtsc => Instruction::Rdtsc,
        Trapped::Rdtscp => Instruction::Rdtscp,
        Trapped::Cpuid => Instruction::Cpuid,
        Trapped::Pause => {
            machine.rip += trapped.length();
            order::at_spin(thread);
            return stop::look(thread);
        }
    } as u16;
    if thread.is_in_operation(machine.rsp) || thread.in_vdso {
        // libc's own, in a mutex that spins: how often it looks is not the program's to see. Or that of a clock, which began to
        // be read before the trap was set.
        let arguments = [machine.rax, machine.rbx, machine.rcx, machine.rdx];
        [machine.rax, machine.rbx, machine.rcx, machine.rdx] = execute(trapped, arguments);
        machine.rip += trapped.length();
        return;
    }
    if debugger::is_on() && debugger::stops_at(thread, machine) {
        return;
    }
    order::at_safepoint(thread);
    let results = match process::get().mode {
        Mode::Record => {
            let results = execute(trapped, [machine.rax, machine.rbx, machine.rcx, machine.rdx]);
            log::words(thread, Kind::Instruction, 0, number, &results);
            results
        }
        Mode::Replay => {
            playback::plain(thread, Kind::Instruction, number, b"a trapped instruction");
            playback::value(thread)
        }
    };
    [machine.rax, machine.rbx, machine.rcx, machine.rdx] = results;
    machine.rip += trapped.length();
    stop::look(thread);
}
