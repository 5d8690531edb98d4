//! Numbers behind which no kernel of today has a call, or none that programs still make.

use super::super::Class::RefuseQuietly;
use super::super::{Class, Syscall};
use super::rows;

const NONE: Class = RefuseQuietly(libc::ENOSYS);

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    134 uselib NONE => ();
    // Writes a name of unsaid length; /proc/filesystems has taken its place.
    139 sysfs NONE => ();
    156 _sysctl NONE => ();
    174 create_module NONE => ();
    177 get_kernel_syms NONE => ();
    178 query_module NONE => ();
    180 nfsservctl NONE => ();
    181 getpmsg NONE => ();
    182 putpmsg NONE => ();
    183 afs_syscall NONE => ();
    184 tuxcall NONE => ();
    185 security NONE => ();
    212 lookup_dcookie NONE => ();
    236 vserver NONE => ();
};
