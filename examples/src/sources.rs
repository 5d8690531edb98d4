//! The table of our own programs.

mod matrix;
mod sync;
mod threads;

use crate::case::{Case, Keys, own};

/// Numbers of signals, as `man 7 signal` gives them for x86-64.
const SIGILL: i32 = 4;
const SIGABRT: i32 = 6;
const SIGUSR1: i32 = 10;
const SIGFPE: i32 = 8;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGPIPE: i32 = 13;
const SIGALRM: i32 = 14;
const SIGTERM: i32 = 15;

/// Every program in `examples/programs`, with what must come of it. What each one shows stands in its first lines.
pub fn table() -> Vec<Case> {
    [
        time_and_chance(),
        identity(),
        files(),
        memory(),
        descriptors(),
        processes(),
        signals(),
        stops(),
        threads::races(),
        threads::threads(),
        threads::sharing(),
        sync::rows(),
        matrix::rows(),
        programs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn time_and_chance() -> Vec<Case> {
    vec![
        own("time/clocks.c").varies(),
        own("time/sleeping.c").varies(),
        own("time/processor.c"),
        own("time/time_stamp_counter.c").varies(),
        own("time/processor_identity.c"),
        own("time/generated_processor_identity.c"),
        own("time/usage.c").varies(),
        own("time/timers.c").varies(),
        own("time/local_time.c").varies(),
        own("randomness/kernel.c").varies(),
        own("randomness/auxiliary_vector.c").varies(),
        own("randomness/addresses.c").varies(),
        own("randomness/stack_garbage.c").varies(),
        own("randomness/seeded.c").varies(),
    ]
}

fn identity() -> Vec<Case> {
    vec![
        own("identity/processes.c").varies(),
        own("identity/users.c").steady(),
        own("identity/machine.c").steady(),
        own("identity/environment.c").steady(),
        own("identity/environment.c").with("some arguments").steady(),
        own("identity/auxiliary_vector.c").steady(),
        own("identity/proc.c").varies(),
        own("identity/open_descriptors.c").steady(),
        own("identity/prctl.c").steady(),
    ]
}

fn files() -> Vec<Case> {
    vec![
        own("files/status.c").varies(),
        own("files/direct.c").steady(),
        own("files/directory_order.c").varies(),
        own("files/working_directory.c").steady(),
        own("files/positions.c").steady(),
        own("files/big_transfers.c").varies(),
        own("files/append_log.c").varies(),
        own("files/copies.c").varies(),
        own("files/own_output.c").varies(),
        own("files/changing_input.c").steady(),
        own("files/rewritten_input.c").varies(),
        own("files/standard_input.c").reading(b"hello there\n12 numbers\nand the rest of it\n").steady(),
        own("files/standard_output.c").steady(),
        own("files/output_by_name.c").varies(),
        own("files/watch.c"),
    ]
}

fn memory() -> Vec<Case> {
    vec![
        own("memory/initial_stack.c").varies(),
        own("memory/private_mapping.c").varies(),
        own("memory/shared_mapping.c").varies(),
        own("memory/shared_anonymous.c").varies(),
        own("memory/between_processes.c").varies(),
        own("memory/segments.c").varies(),
        own("memory/changing_file.c").varies(),
        own("memory/file_views.c").varies(),
        own("memory/memory_files.c").varies(),
        own("memory/flags.c").varies(),
        own("memory/remap.c").varies(),
        own("memory/program_break.c").varies(),
        own("memory/advice.c").varies(),
        own("memory/growing_stack.c").varies(),
        own("memory/loaded_library.c").varies(),
        own("memory/generated_code.c").varies(),
        own("memory/hints.c"),
    ]
}

fn descriptors() -> Vec<Case> {
    vec![
        own("descriptors/pipes.c").varies(),
        own("descriptors/readiness.c"),
        own("descriptors/event_descriptors.c").varies(),
        own("descriptors/close_everything.c").varies(),
        own("descriptors/raised_limit.c").steady(),
        own("descriptors/terminal.c").steady(),
        own("descriptors/terminal.c")
            .typing(&[Keys { after: "press a key", typed: "k" }])
            .named("descriptors/terminal with one"),
        own("descriptors/terminal_names.c").varies().typing(&[Keys { after: "press a key", typed: "k" }]),
        own("descriptors/passed_output.c").varies(),
        own("network/tcp.c").varies(),
        own("network/datagrams.c").varies(),
        own("network/unix_sockets.c").varies(),
        own("network/names.c"),
    ]
}

fn processes() -> Vec<Case> {
    vec![
        own("processes/fork.c").varies(),
        own("processes/vfork.c").varies(),
        own("processes/spawn.c").varies(),
        own("processes/shells.c").varies(),
        own("processes/clone3.c").varies(),
        own("processes/exec_bare.c").varies(),
        own("processes/exec_fails.c").compiled("-pthread").varies(),
        own("processes/signal_at_exec.c"),
        own("processes/waits.c"),
        own("processes/orphan.c").varies(),
        own("processes/nested.c").varies(),
        own("processes/many_children.c").varies(),
        own("processes/chain.c").varies(),
        own("processes/interleaved.c"),
        own("processes/large_arguments.c").varies(),
        own("processes/sessions.c").varies(),
        own("processes/process_descriptors.c").steady(),
        own("processes/killed_in_exec.c").steady(),
        own("processes/deaths.c").with("return").exits(2).steady(),
        own("processes/deaths.c").with("exit").exits(3).steady(),
        own("processes/deaths.c").with("_exit").exits(4).steady(),
        own("processes/deaths.c").with("quick_exit").exits(5).steady(),
        own("processes/deaths.c").with("system-call").exits(6).steady(),
        own("processes/deaths.c").with("big-status").exits(0x34).steady(),
        own("processes/deaths.c").with("abort").killed(SIGABRT).steady(),
        own("processes/deaths.c").with("assert").killed(SIGABRT).steady(),
        own("processes/deaths.c").with("segmentation-fault").killed(SIGSEGV).steady(),
        own("processes/deaths.c").with("division").killed(SIGFPE).steady(),
        own("processes/deaths.c").with("illegal").killed(SIGILL).steady(),
        own("processes/deaths.c").with("stack-overflow").killed(SIGSEGV).steady(),
        own("processes/deaths.c").with("jump-to-nowhere").killed(SIGSEGV).steady(),
        own("processes/deaths.c").with("kill").killed(SIGKILL).steady(),
        own("processes/deaths.c").with("terminate").killed(SIGTERM).steady(),
        own("processes/deaths.c").with("broken-pipe").killed(SIGPIPE).steady(),
        own("processes/deaths.c").with("alarm").killed(SIGALRM).steady(),
        own("processes/deaths.c").with("alarm-while-computing").killed(SIGALRM).steady(),
    ]
}

fn signals() -> Vec<Case> {
    vec![
        own("signals/never_calls.c").killed(SIGALRM).steady(),
        own("signals/handlers.c").varies(),
        own("signals/alarm.c").varies(),
        own("signals/interrupted.c").steady(),
        own("signals/alternate_stack.c").steady(),
        own("signals/waiting.c").steady(),
        own("signals/long_jump.c").steady(),
        own("signals/children.c").steady(),
        own("signals/descriptors.c"),
        own("signals/nested.c"),
        own("signals/returns.c"),
        own("faults/skipped.c").steady(),
        own("faults/frames.c").steady(),
        own("faults/write_barrier.c"),
        own("faults/bus_error.c").steady(),
        own("faults/own_handlers.c").steady(),
        own("faults/wild.c").steady(),
    ]
}

/// Signals that come where the program makes no system call.
fn stops() -> Vec<Case> {
    vec![
        own("stops/counting.c").compiled("-O0").varies(),
        own("stops/counting.c").compiled("-O2").varies(),
        own("stops/registers.c").compiled("-O0").varies(),
        own("stops/registers.c").compiled("-O2").varies(),
        own("stops/matrix.c").compiled("-O0").varies(),
        own("stops/matrix.c").compiled("-O3 -march=native").varies(),
        own("stops/library.c").compiled("-O0").varies(),
        own("stops/library.c").compiled("-O2").varies(),
        own("stops/sorting.c").compiled("-O0").varies(),
        own("stops/sorting.c").compiled("-O2").varies(),
        own("stops/list.c").compiled("-O2").varies(),
        own("stops/spinning.c").compiled("-O0").steady(),
        own("stops/spinning.c").compiled("-O2").steady(),
        own("stops/generated.c").compiled("-O1").varies(),
        own("stops/inline_data.c").compiled("-O1").varies(),
    ]
}

fn programs() -> Vec<Case> {
    vec![
        own("system/seccomp_filter.c").steady(),
        own("system/seccomp_strict.c").steady(),
        own("system/inline_calls.c").varies(),
        own("system/registers.c").steady(),
        own("system/unsupported.c"),
        own("builds/hello.c").compiled("-pie -fPIE").varies(),
        own("builds/hello.c").compiled("-no-pie -fno-pie").varies(),
        own("builds/hello.c").compiled("-O0 -fstack-protector-all -Wl,-z,relro,-z,now").varies(),
        own("builds/hello.c").compiled("-O3 -fcf-protection=full -march=native").varies(),
        own("builds/hello.c").compiled("-static").refused("static"),
        own("builds/hello.c").compiled("-static-pie").refused("static"),
        own("builds/bare.c").compiled("-m32 -nostdlib -static -ffreestanding").refused("32-bit"),
        own("languages/exceptions.cc").compiled("-fnon-call-exceptions").steady(),
        own("languages/standard.rs").varies(),
    ]
}
