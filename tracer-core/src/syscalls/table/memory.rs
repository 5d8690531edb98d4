//! Calls about the address space.

use super::super::Class::{Emulate, Execute, Refuse, RefuseQuietly, Special};
use super::super::Syscall;
use super::super::commands::{control, process};
use super::super::kind::Direction::Out;
use super::super::kind::Length;
use super::super::kind::Type::*;
use super::super::layout::Layout;
use super::super::names::{files, memory};
use super::super::shorthand::{
    memory as buffer, reads_items, reads_nodes, writes_int, writes_items, writes_nodes,
};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    9 mmap Special =>
        (addr: Pointer, length: Size, prot: Named(&memory::PROTECTION), flags: Named(&memory::MAP),
         fd: Descriptor, offset: Hex);
    25 mremap Special =>
        (old_address: Pointer, old_size: Size, new_size: Size, flags: Named(&memory::REMAP),
         new_address: Pointer);
    10 mprotect Execute => (addr: Pointer, size: Size, prot: Named(&memory::PROTECTION));
    329 pkey_mprotect Execute =>
        (addr: Pointer, size: Size, prot: Named(&memory::PROTECTION), pkey: Int);
    330 pkey_alloc Execute => (flags: Hex, access_rights: Named(&memory::KEY_RIGHTS));
    331 pkey_free Execute => (pkey: Int);
    11 munmap Execute => (addr: Pointer, length: Size);
    12 brk Execute => (addr: Pointer);
    28 madvise Execute => (addr: Pointer, length: Size, advice: Command(&process::MADVISE));
    462 mseal Execute => (addr: Pointer, size: Size, flags: Hex);
    154 modify_ldt Execute =>
        (func: Command(&control::MODIFY_LDT), ptr: ByCommand(&control::MODIFY_LDT), bytecount: Size);
    216 remap_file_pages Refuse(libc::ENOSYS) =>
        (addr: Pointer, size: Size, prot: Hex, pgoff: Size, flags: Hex);
    453 map_shadow_stack RefuseQuietly(libc::EOPNOTSUPP) => (addr: Pointer, size: Size, flags: Hex);
    447 memfd_secret RefuseQuietly(libc::ENOSYS) => (flags: Hex);
    323 userfaultfd Refuse(libc::ENOSYS) => (flags: Named(&files::PIPE));

    26 msync Emulate => (addr: Pointer, length: Size, flags: Named(&memory::SYNC)) blocks Never;
    27 mincore Emulate => (addr: Pointer, length: Size, vec: buffer(Out, Length::Pages { argument: 1 }));
    149 mlock Emulate => (addr: Pointer, len: Size);
    325 mlock2 Emulate => (addr: Pointer, len: Size, flags: Named(&memory::LOCK));
    150 munlock Emulate => (addr: Pointer, len: Size);
    151 mlockall Emulate => (flags: Named(&memory::LOCK_ALL));
    152 munlockall Emulate => ();
    // Which threads have registered is the kernel's to know, and a parallel replay needs the barriers too.
    324 membarrier Execute => (cmd: Named(&memory::BARRIER), flags: Hex, cpu_id: Int);

    237 mbind Emulate =>
        (addr: Pointer, len: Size, mode: Named(&memory::POLICY), nodemask: reads_nodes(4), maxnode: Size,
         flags: Named(&memory::BIND));
    238 set_mempolicy Emulate =>
        (mode: Named(&memory::POLICY), nodemask: reads_nodes(2), maxnode: Size);
    239 get_mempolicy Emulate =>
        (mode: writes_int(), nodemask: writes_nodes(2), maxnode: Size, addr: Pointer,
         flags: Named(&memory::GET_POLICY));
    450 set_mempolicy_home_node Emulate => (addr: Pointer, len: Size, home_node: Size, flags: Hex);
    256 migrate_pages Emulate =>
        (pid: Int, maxnode: Size, old_nodes: reads_nodes(1), new_nodes: reads_nodes(1));
    279 move_pages Emulate =>
        (pid: Int, count: Size, pages: reads_items(1, 8).shown(Layout::Words),
         nodes: reads_items(1, 4).shown(Layout::Ints), status: writes_items(1, 4).shown(Layout::Ints),
         flags: Named(&memory::BIND));
    // On itself a process has madvise; on others this would have to be logged with them.
    440 process_madvise RefuseQuietly(libc::ENOSYS) =>
        (pidfd: Descriptor, iovec: Pointer, vlen: Size, advice: Int, flags: Hex);
    448 process_mrelease Emulate => (pidfd: Descriptor, flags: Hex);
};
