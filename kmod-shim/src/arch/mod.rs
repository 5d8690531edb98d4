//! What depends on the processor. x86-64 is the first; each module here has one narrow interface.

#[cfg(target_arch = "x86_64")]
pub mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64 as native;
