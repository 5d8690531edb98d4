//! `imitate doctor`: what this machine offers, and what works without the missing parts.

mod abilities;
mod surroundings;

use comfy_table::{ContentArrangement, Table, presets};

/// What a check found out: a remark if all is well, or what is wrong.
type Finding = Result<String, String>;

/// How much depends on a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing works without.
    Required,
    /// Most things work without.
    Useful,
}

/// One row of the report.
struct Check {
    name: &'static str,
    need: Need,
    find: fn() -> Finding,
    /// What to expect, or do, without it.
    without: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        name: "kernel",
        need: Need::Required,
        find: surroundings::kernel,
        without: "Linux 5.11 or newer on x86-64 is needed",
    },
    Check {
        name: "system call dispatch",
        need: Need::Required,
        find: abilities::system_call_dispatch,
        without: "system calls cannot be intercepted: the kernel lacks CONFIG_GENERIC_ENTRY, or a seccomp \
                  filter forbids prctl(PR_SET_SYSCALL_USER_DISPATCH)",
    },
    Check {
        name: "fixed addresses",
        need: Need::Required,
        find: abilities::fixed_addresses,
        without: "address randomisation cannot be switched off, so replays would have other addresses; in \
                  Docker, use --security-opt seccomp=unconfined or a profile that allows personality(2), in a systemd \
                  unit LockPersonality=no",
    },
    Check {
        name: "shared memory",
        need: Need::Required,
        find: abilities::shared_memory,
        without: "events cannot leave the program: raise the file size limit (ulimit -f unlimited)",
    },
    Check {
        name: "writable code",
        need: Need::Useful,
        find: abilities::writable_code,
        without: "system calls cannot be rewritten in place: recording works, about 1 microsecond a call slower",
    },
    Check {
        name: "time-stamp counter trap",
        need: Need::Useful,
        find: abilities::time_stamp_trap,
        without: "programs that execute rdtsc themselves will diverge in replay",
    },
    Check {
        name: "cpuid trap",
        need: Need::Useful,
        find: abilities::cpuid_trap,
        without: "replay traces only on the kind of processor that they were recorded on",
    },
    Check {
        name: "seccomp",
        need: Need::Useful,
        find: surroundings::seccomp,
        without: "a filter may be in force, which could explain other failures",
    },
    Check {
        name: "library",
        need: Need::Required,
        find: surroundings::library,
        without: "nothing can be recorded or replayed",
    },
    Check {
        name: "storage",
        need: Need::Required,
        find: surroundings::storage,
        without: "give every recording a place: `imitate record -o DIR`, or set IMITATE_DIR",
    },
    Check {
        name: "ptrace",
        need: Need::Useful,
        find: abilities::ptrace,
        without: "`imitate replay --gdb` will not work: see /proc/sys/kernel/yama/ptrace_scope, or give the \
                  container SYS_PTRACE",
    },
    Check {
        name: "gdb",
        need: Need::Useful,
        find: surroundings::gdb,
        without: "`imitate replay --gdb` needs it: apt-get install gdb",
    },
];

/// Prints the report on stdout; true if recording and replaying work here.
pub fn examine() -> bool {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let mut works = true;
    for check in CHECKS {
        let (verdict, text) = match ((check.find)(), check.need) {
            (Ok(remark), _) => ("ok", remark),
            (Err(problem), Need::Required) => {
                works = false;
                ("FAILED", format!("{problem}; {}", check.without))
            }
            (Err(problem), Need::Useful) => ("missing", format!("{problem}; {}", check.without)),
        };
        table.add_row([check.name, verdict, &text]);
    }
    println!("{}", table.trim_fmt());
    println!();
    println!(
        "{}",
        if works {
            "Recording and replaying work here."
        } else {
            "Recording does not work here: see the lines marked FAILED."
        }
    );
    works
}
