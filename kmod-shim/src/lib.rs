//! What the 2007 Imitate kernel module did, in user space: getting control of an unmodified program.
//!
//! * [`arch`]: the way from the program into the hook and back, raw system calls, trapped instructions,
//!   signal frames;
//! * [`dispatch`]: Syscall User Dispatch, the net that catches every system call;
//! * [`maps`]: what is mapped where;
//! * [`patch`]: rewriting of call sites, the fast path;
//! * [`stop`]: stopping at an arbitrary instruction, and finding the same moment again;
//! * [`vdso`]: where the functions of the vDSO are.
//!
//! Nothing here calls libc or allocates, [`patch`] excepted, which uses Rust's global allocator.

pub mod arch;
pub mod dispatch;
pub mod maps;
pub mod patch;
pub mod stop;
pub mod vdso;
