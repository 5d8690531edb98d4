//! Instructions whose results are not a function of the program's state: trapped, so that they can be logged.
//!
//! `rdtsc` and `rdtscp` raise SIGSEGV under PR_SET_TSC, `cpuid` under ARCH_SET_CPUID (where the processor or
//! the hypervisor can fault it).

use super::raw;
use core::sync::atomic::{AtomicBool, Ordering};

const ARCH_SET_CPUID: u64 = 0x1012;
const PR_SET_TSC: u64 = 26;
const PR_TSC_ENABLE: u64 = 1;
const PR_TSC_SIGSEGV: u64 = 2;

/// Makes `rdtsc` trap, or not. It survives fork *and exec*; ld.so reads the counter before any library can
/// handle a fault, so it must be off across exec.
pub fn trap_time_stamps(trap: bool) -> bool {
    let setting = if trap { PR_TSC_SIGSEGV } else { PR_TSC_ENABLE };
    // SAFETY: prctl(PR_SET_TSC) touches no memory.
    unsafe { raw::call(libc::SYS_prctl, [PR_SET_TSC, setting, 0, 0, 0, 0]) == 0 }
}

static CPUID_TRAPS: AtomicBool = AtomicBool::new(false);

/// Makes `cpuid` trap in the calling thread and those that it creates; false if this machine cannot. Ended by exec.
///
/// The kernel then writes a register of the processor whenever it switches from such a thread to another one
/// (`__switch_to_xtra` in arch/x86/kernel/process.c), which exits to the hypervisor if there is one: two threads that
/// wake each other took 1.4 times as long.
pub fn trap_cpuid() -> bool {
    let traps = set_cpuid_trap(true);
    CPUID_TRAPS.store(traps, Ordering::Relaxed);
    traps
}

/// Whether `cpuid` was made to trap.
pub fn cpuid_traps() -> bool {
    CPUID_TRAPS.load(Ordering::Relaxed)
}

fn set_cpuid_trap(trap: bool) -> bool {
    // SAFETY: arch_prctl(ARCH_SET_CPUID) touches no memory.
    unsafe { raw::call(libc::SYS_arch_prctl, [ARCH_SET_CPUID, !trap as u64, 0, 0, 0, 0]) == 0 }
}

/// A trapped instruction, and how many bytes it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trapped {
    /// 0F 31.
    Rdtsc,
    /// 0F 01 F9.
    Rdtscp,
    /// 0F A2.
    Cpuid,
    /// F3 90: not trapped, but replaced where a thread was seen to spin.
    Pause,
}

impl Trapped {
    /// The instruction that begins with these three bytes, if it is one that we trap.
    pub fn decode(code: [u8; 3]) -> Option<Trapped> {
        match code {
            [0x0f, 0x31, _] => Some(Trapped::Rdtsc),
            [0x0f, 0x01, 0xf9] => Some(Trapped::Rdtscp),
            [0x0f, 0xa2, _] => Some(Trapped::Cpuid),
            _ => None,
        }
    }

    /// Bytes.
    pub fn length(self) -> u64 {
        if self == Trapped::Rdtscp { 3 } else { 2 }
    }
}

/// rax, rbx, rcx, rdx after a trapped instruction.
pub type Results = [u64; 4];

/// Executes the instruction for the program, with these in rax, rbx, rcx, rdx. For `rdtsc` and `rdtscp` their trap is lifted, and is the
/// caller's to set again.
pub fn execute(trapped: Trapped, before: Results) -> Results {
    use core::arch::x86_64::{__cpuid_count, __rdtscp, _rdtsc};
    // SAFETY (of the unsafe calls in here): none of these instructions touches memory.
    match trapped {
        Trapped::Pause => before,
        Trapped::Rdtsc => {
            trap_time_stamps(false);
            // SAFETY: see above.
            let value = unsafe { _rdtsc() };
            [value & 0xffff_ffff, before[1], before[2], value >> 32]
        }
        Trapped::Rdtscp => {
            trap_time_stamps(false);
            let mut processor = 0;
            // SAFETY: writes only the local.
            let value = unsafe { __rdtscp(&mut processor) };
            [value & 0xffff_ffff, before[1], processor as u64, value >> 32]
        }
        Trapped::Cpuid => {
            let traps = cpuid_traps();
            if traps {
                set_cpuid_trap(false);
            }
            let leaf = before[0] as u32;
            let result = __cpuid_count(leaf, before[2] as u32);
            if traps {
                set_cpuid_trap(true);
            }
            mask_untrappable(leaf, before[2] as u32, [result.eax, result.ebx, result.ecx, result.edx])
        }
    }
}

/// Takes from a cpuid result the features whose instructions give different results each time and cannot be
/// trapped: rdrand, rdseed, transactions (they abort at will) and rdpid.
fn mask_untrappable(leaf: u32, sub_leaf: u32, [eax, mut ebx, mut ecx, edx]: [u32; 4]) -> Results {
    const RDRAND: u32 = 1 << 30;
    const HARDWARE_LOCK_ELISION: u32 = 1 << 4;
    const RESTRICTED_TRANSACTIONS: u32 = 1 << 11;
    const RDSEED: u32 = 1 << 18;
    const RDPID: u32 = 1 << 22;
    match (leaf, sub_leaf) {
        (1, _) => ecx &= !RDRAND,
        (7, 0) => {
            ebx &= !(HARDWARE_LOCK_ELISION | RESTRICTED_TRANSACTIONS | RDSEED);
            ecx &= !RDPID;
        }
        _ => {}
    }
    [eax as u64, ebx as u64, ecx as u64, edx as u64]
}
