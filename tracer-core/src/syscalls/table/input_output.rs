//! Calls that move bytes.

use super::super::Class::{Emulate, RefuseQuietly, Special};
use super::super::Syscall;
use super::super::kind::Direction::{In, InOut, Out};
use super::super::kind::Type::*;
use super::super::names::files;
use super::super::shorthand::{
    consumed_bytes, reads, reads_bytes, result_bytes, result_structures, updates_offset, writes_bytes,
};
use super::super::structures::{IO_EVENT, TIMESPEC};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    0 read Emulate => (fd: ReadDescriptor, buf: result_bytes(2), count: Size) blocks Always;
    1 write Emulate => (fd: WrittenDescriptor, buf: consumed_bytes(2), count: Size) blocks Always;
    8 lseek Emulate => (fd: Descriptor, offset: Long, whence: Named(&files::SEEK));
    17 pread64 Emulate => (fd: ReadDescriptor, buf: result_bytes(2), count: Size, offset: Long) blocks Always;
    18 pwrite64 Emulate =>
        (fd: WrittenDescriptor, buf: consumed_bytes(2), count: Size, offset: Long) blocks Always;
    19 readv Emulate => (fd: ReadDescriptor, iov: Vector(Out), iovcnt: Size) blocks Always;
    20 writev Emulate => (fd: WrittenDescriptor, iov: Vector(In), iovcnt: Size) blocks Always;
    295 preadv Emulate =>
        (fd: ReadDescriptor, iov: Vector(Out), iovcnt: Size, pos_l: Long, pos_h: Long) blocks Always;
    296 pwritev Emulate =>
        (fd: WrittenDescriptor, iov: Vector(In), iovcnt: Size, pos_l: Long, pos_h: Long) blocks Always;
    327 preadv2 Emulate =>
        (fd: ReadDescriptor, iov: Vector(Out), iovcnt: Size, pos_l: Long, pos_h: Long,
         flags: Named(&files::READ_WRITE)) blocks Always;
    328 pwritev2 Emulate =>
        (fd: WrittenDescriptor, iov: Vector(In), iovcnt: Size, pos_l: Long, pos_h: Long,
         flags: Named(&files::READ_WRITE)) blocks Always;

    // The bytes go from file to file and are never in the program's memory. Where they go to what was the
    // recording's stdout, the engine must see them all the same.
    40 sendfile Special =>
        (out_fd: WrittenDescriptor, in_fd: Descriptor, offset: updates_offset(), count: Size) blocks Always;
    275 splice Special =>
        (fd_in: Descriptor, off_in: updates_offset(), fd_out: WrittenDescriptor, off_out: updates_offset(),
         len: Size, flags: Named(&files::SPLICE)) blocks Always;
    276 tee Special =>
        (fd_in: Descriptor, fd_out: WrittenDescriptor, len: Size, flags: Named(&files::SPLICE)) blocks Always;
    326 copy_file_range Special =>
        (fd_in: Descriptor, off_in: updates_offset(), fd_out: WrittenDescriptor, off_out: updates_offset(),
         len: Size, flags: Hex) blocks Always;

    // Reads or writes the program's memory, depending on which end of the pipe it is given.
    278 vmsplice Emulate =>
        (fd: WrittenDescriptor, iov: Vector(InOut), nr_segs: Size, flags: Named(&files::SPLICE))
        blocks Always;

    // The kernel writes to these rings in the program's memory whenever it likes. Programs do without.
    206 io_setup RefuseQuietly(libc::ENOSYS) => (nr_events: Unsigned, ctx_idp: writes_bytes(8));
    207 io_destroy RefuseQuietly(libc::ENOSYS) => (ctx_id: Hex);
    208 io_getevents RefuseQuietly(libc::ENOSYS) =>
        (ctx_id: Hex, min_nr: Long, nr: Long, events: result_structures(2, &IO_EVENT),
         timeout: reads(&TIMESPEC)) blocks Never;
    209 io_submit RefuseQuietly(libc::ENOSYS) => (ctx_id: Hex, nr: Long, iocbpp: Pointer);
    210 io_cancel RefuseQuietly(libc::ENOSYS) => (ctx_id: Hex, iocb: reads_bytes(64), result: Pointer);
    333 io_pgetevents RefuseQuietly(libc::ENOSYS) =>
        (ctx_id: Hex, min_nr: Long, nr: Long, events: result_structures(2, &IO_EVENT),
         timeout: reads(&TIMESPEC), usig: reads_bytes(16)) blocks Never;
    425 io_uring_setup RefuseQuietly(libc::ENOSYS) => (entries: Unsigned, p: Pointer);
    426 io_uring_enter RefuseQuietly(libc::ENOSYS) =>
        (fd: Descriptor, to_submit: Unsigned, min_complete: Unsigned, flags: Hex, arg: Pointer, argsz: Size)
        blocks Never;
    427 io_uring_register RefuseQuietly(libc::ENOSYS) =>
        (fd: Descriptor, opcode: Unsigned, arg: Pointer, nr_args: Unsigned);
};
