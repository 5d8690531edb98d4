//! Calls about the machine and the kernel.

use super::super::Class::{Emulate, Refuse};
use super::super::Syscall;
use super::super::commands::control;
use super::super::kind::Type::*;
use super::super::names::{files, process};
use super::super::shorthand::{reads_items, result_bytes, writes};
use super::super::structures::{SYSINFO, UTSNAME};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    63 uname Emulate => (buf: writes(&UTSNAME));
    99 sysinfo Emulate => (info: writes(&SYSINFO));
    318 getrandom Emulate => (buf: result_bytes(1), buflen: Size, flags: Named(&process::RANDOM));
    103 syslog Emulate =>
        (type: Command(&control::SYSLOG), bufp: ByCommand(&control::SYSLOG), len: Int) blocks Always;
    153 vhangup Emulate => ();
    163 acct Emulate => (filename: Path);
    167 swapon Emulate => (path: Path, swapflags: Hex);
    168 swapoff Emulate => (path: Path);
    169 reboot Emulate => (magic: Hex, magic2: Hex, op: Hex, arg: Pointer);
    170 sethostname Emulate => (name: reads_items(1, 1), len: Int);
    171 setdomainname Emulate => (name: reads_items(1, 1), len: Int);

    // Would let the program do what no log could repeat.
    172 iopl Refuse(libc::EPERM) => (level: Int);
    173 ioperm Refuse(libc::EPERM) => (from: Size, num: Size, turn_on: Int);
    175 init_module Refuse(libc::EPERM) => (module_image: Pointer, len: Size, param_values: Path);
    313 finit_module Refuse(libc::EPERM) => (fd: Descriptor, param_values: Path, flags: Hex);
    176 delete_module Refuse(libc::EPERM) => (name: Path, flags: Named(&files::OPEN));
    246 kexec_load Refuse(libc::EPERM) => (entry: Pointer, nr_segments: Size, segments: Pointer, flags: Hex);
    320 kexec_file_load Refuse(libc::EPERM) =>
        (kernel_fd: Descriptor, initrd_fd: Descriptor, cmdline_len: Size, cmdline: Path, flags: Hex);
    321 bpf Refuse(libc::EPERM) => (cmd: Int, attr: Pointer, size: Unsigned);
    298 perf_event_open Refuse(libc::ENOSYS) =>
        (attr: Pointer, pid: Int, cpu: Int, group_fd: Descriptor, flags: Hex);
};
