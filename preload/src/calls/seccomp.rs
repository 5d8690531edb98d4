//! The program's own seccomp filters, applied by us.
//!
//! A real filter would also judge the calls that this library makes. All of the program's calls come through
//! here, so its filters (classic BPF over `struct seccomp_data`, seccomp(2)) are interpreted here instead: the
//! program is confined as it asked, in recording and replay alike.

use super::{decided, generic};
use crate::log;
use crate::process;
use crate::signals::{deliver, kernel_side};
use crate::thread::Thread;
use alloc::vec::Vec;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::session::Mode;
use tracer_core::syscalls::Syscall;

const SET_MODE_STRICT: u64 = 0;
const SET_MODE_FILTER: u64 = 1;
const GET_ACTION_AVAILABLE: u64 = 2;
const FLAGS_SUPPORTED: u64 = 0b111;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const LONGEST: usize = 4096;

const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
const ACTION: u32 = 0xffff_0000;

const INVALID: i64 = -(libc::EINVAL as i64);
const FAULT: i64 = -(libc::EFAULT as i64);

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

/// What the program has installed.
pub struct Filters {
    strict: bool,
    programs: Vec<Vec<Instruction>>,
}

impl Filters {
    /// None.
    pub const NONE: Filters = Filters { strict: false, programs: Vec::new() };

    /// Whether calls need to be judged at all.
    #[inline]
    pub fn any(&self) -> bool {
        self.strict || !self.programs.is_empty()
    }

    /// As PR_GET_SECCOMP reports it.
    pub fn mode(&self) -> i64 {
        if self.strict { 1 } else { 2 * !self.programs.is_empty() as i64 }
    }
}

/// seccomp(2).
pub fn seccomp(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    decided(thread, frame, syscall, |_, &[operation, flags, address, ..]| match operation {
        SET_MODE_STRICT => set_strict(),
        SET_MODE_FILTER if flags & !FLAGS_SUPPORTED == 0 => add_filter(address),
        GET_ACTION_AVAILABLE => match log::read_value::<u32>(address) {
            Some(KILL_PROCESS | KILL_THREAD | TRAP | ERRNO | LOG | ALLOW) => 0,
            Some(_) => -(libc::EOPNOTSUPP as i64),
            None => FAULT,
        },
        _ => INVALID,
    });
}

/// prctl(PR_SET_SECCOMP, ...).
pub fn from_prctl(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    decided(thread, frame, syscall, |_, &[_, mode, address, ..]| match mode {
        1 => set_strict(),
        2 => add_filter(address),
        _ => INVALID,
    });
}

fn set_strict() -> i64 {
    process::get().filters.strict = true;
    0
}

fn add_filter(address: u64) -> i64 {
    let Some([length, instructions]) = log::read_value::<[u64; 2]>(address) else { return FAULT };
    let length = length as u16 as usize;
    if length == 0 || length > LONGEST {
        return INVALID;
    }
    let mut program = Vec::with_capacity(length);
    for i in 0..length {
        let place = instructions + (i * size_of::<Instruction>()) as u64;
        let Some(instruction) = log::read_value::<Instruction>(place) else { return FAULT };
        program.push(instruction);
    }
    process::get().filters.programs.push(program);
    0
}

/// Judges a call. False: it is not made, and the frame says what happens instead.
pub fn permits(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) -> bool {
    let verdict = judge(frame);
    match verdict & ACTION {
        ALLOW | LOG => true,
        ERRNO => {
            let error = (verdict & 0xffff).min(4095) as i64;
            decided(thread, frame, syscall, |_, _| -error);
            false
        }
        TRAP => {
            trap(thread, frame, verdict);
            false
        }
        _ => die(thread, frame, syscall),
    }
}

/// The strictest verdict of all filters; the lower value (as signed) is the stricter.
fn judge(frame: &Frame) -> u32 {
    let filters = &process::get().filters;
    if filters.strict {
        let permitted = matches!(
            frame.rax as i64,
            libc::SYS_read | libc::SYS_write | libc::SYS_exit | libc::SYS_rt_sigreturn
        );
        return if permitted { ALLOW } else { KILL_THREAD };
    }
    let mut data = [0u8; 64];
    data[..4].copy_from_slice(&(frame.rax as u32).to_le_bytes());
    data[4..8].copy_from_slice(&AUDIT_ARCH_X86_64.to_le_bytes());
    data[8..16].copy_from_slice(&frame.rip.to_le_bytes());
    for (i, argument) in frame.arguments().iter().enumerate() {
        data[16 + 8 * i..24 + 8 * i].copy_from_slice(&argument.to_le_bytes());
    }
    let verdicts = filters.programs.iter().rev().map(|program| run(program, &data));
    verdicts.min_by_key(|verdict| (verdict & ACTION) as i32).unwrap_or(ALLOW)
}

/// Interprets classic BPF (linux/filter.h); a program that runs off its end kills, as an unverifiable one.
fn run(program: &[Instruction], data: &[u8; 64]) -> u32 {
    let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; 16]);
    let mut at = 0usize;
    while let Some(instruction) = program.get(at) {
        at += 1;
        let k = instruction.k;
        let operand = if instruction.code & 0x08 != 0 { x } else { k };
        match instruction.code & 0x07 {
            0x00 => {
                a = match instruction.code & 0xe0 {
                    0x00 => k,
                    0x20 => load(data, k),
                    0x60 => memory[k as usize & 15],
                    0x80 => data.len() as u32,
                    _ => return KILL_PROCESS,
                }
            }
            0x01 => {
                x = match instruction.code & 0xe0 {
                    0x00 => k,
                    0x60 => memory[k as usize & 15],
                    0x80 => data.len() as u32,
                    _ => return KILL_PROCESS,
                }
            }
            0x02 => memory[k as usize & 15] = a,
            0x03 => memory[k as usize & 15] = x,
            0x04 => {
                a = match instruction.code & 0xf0 {
                    0x00 => a.wrapping_add(operand),
                    0x10 => a.wrapping_sub(operand),
                    0x20 => a.wrapping_mul(operand),
                    0x30 => a.checked_div(operand).unwrap_or(0),
                    0x40 => a | operand,
                    0x50 => a & operand,
                    0x60 => a.checked_shl(operand).unwrap_or(0),
                    0x70 => a.checked_shr(operand).unwrap_or(0),
                    0x80 => a.wrapping_neg(),
                    0xa0 => a ^ operand,
                    _ => return KILL_PROCESS,
                }
            }
            0x05 => {
                let taken = match instruction.code & 0xf0 {
                    0x00 => {
                        at = at.saturating_add(k as usize);
                        continue;
                    }
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return KILL_PROCESS,
                };
                at += if taken { instruction.jump_true } else { instruction.jump_false } as usize;
            }
            0x06 => return if instruction.code & 0x18 == 0x10 { a } else { k },
            _ if instruction.code & 0x80 != 0 => a = x,
            _ => x = a,
        }
    }
    KILL_PROCESS
}

fn load(data: &[u8; 64], offset: u32) -> u32 {
    let offset = offset as usize;
    data.get(offset..offset.saturating_add(4))
        .map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// SECCOMP_RET_TRAP: the program's SIGSYS handler emulates the call. Deterministic, so not logged.
fn trap(thread: &mut Thread, frame: &mut Frame, verdict: u32) {
    const SYS_SECCOMP: i32 = 1;
    let mut information = [0u8; 128];
    information[..4].copy_from_slice(&libc::SIGSYS.to_le_bytes());
    information[4..8].copy_from_slice(&((verdict & 0xffff) as i32).to_le_bytes());
    information[8..12].copy_from_slice(&SYS_SECCOMP.to_le_bytes());
    information[16..24].copy_from_slice(&frame.rip.to_le_bytes());
    information[24..28].copy_from_slice(&(frame.rax as i32).to_le_bytes());
    information[28..32].copy_from_slice(&AUDIT_ARCH_X86_64.to_le_bytes());
    let handled = process::get().actions[libc::SIGSYS as usize].is_function();
    deliver::run_handler(thread, frame, libc::SIGSYS, &information, !handled);
    if process::get().mode == Mode::Record {
        kernel_side::block(thread.blocked);
    }
}

/// SECCOMP_RET_KILL_*: the process ends as by SIGSYS (in strict mode by SIGKILL).
fn die(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) -> ! {
    let signal = if process::get().filters.strict { libc::SIGKILL } else { libc::SIGSYS };
    let arguments = frame.arguments();
    match process::get().mode {
        Mode::Record => log::call(thread, tracer_core::event::Kind::Entry, syscall, &arguments, 0, 0),
        Mode::Replay => {
            let kind = tracer_core::event::Kind::Entry;
            let outcome = crate::playback::outcome(thread, kind, syscall, &arguments);
            crate::playback::items(thread, syscall, outcome.items, generic::ignore_item);
        }
    }
    super::process::finish(thread);
    process::die_by_signal(signal)
}
