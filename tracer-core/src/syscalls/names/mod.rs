//! The names of flags and choices in system-call arguments, for printing.

pub mod events;
pub mod files;
pub mod memory;
pub mod network;
pub mod process;
pub mod time;

/// The names of a number's parts: the bits under `choice_mask` are one of several values, the others are
/// flags.
#[derive(Debug)]
pub struct NameSet {
    /// The bits that together are one of `choices`.
    pub choice_mask: u64,
    /// Values of the bits under `choice_mask`; if that is 0, the name of no flag at all.
    pub choices: &'static [(u64, &'static str)],
    /// Flags. One that contains another comes first.
    pub flags: &'static [(u64, &'static str)],
}

/// A `(value, name)` pair of a constant: libc's, or with an own value where the libc crate lacks it.
macro_rules! name {
    ($name:ident) => {
        (libc::$name as u32 as u64, stringify!($name))
    };
    ($name:ident = $value:expr) => {
        ($value, stringify!($name))
    };
}

/// A [`NameSet`] of values of which one applies.
macro_rules! choices {
    ($($name:ident $(= $value:expr)?),* $(,)?) => {
        $crate::syscalls::names::NameSet {
            choice_mask: u64::MAX,
            choices: &[$($crate::syscalls::names::name!($name $(= $value)?)),*],
            flags: &[],
        }
    };
}

/// A [`NameSet`] of flags of which any number applies, or of one choice under a mask and such flags.
macro_rules! flags {
    ($($name:ident $(= $value:expr)?),* $(,)?) => {
        $crate::syscalls::names::NameSet {
            choice_mask: 0,
            choices: &[],
            flags: &[$($crate::syscalls::names::name!($name $(= $value)?)),*],
        }
    };
    ($mask:literal [$($choice:ident $(= $choice_value:expr)?),* $(,)?]
     $($name:ident $(= $value:expr)?),* $(,)?) => {
        $crate::syscalls::names::NameSet {
            choice_mask: $mask,
            choices: &[$($crate::syscalls::names::name!($choice $(= $choice_value)?)),*],
            flags: &[$($crate::syscalls::names::name!($name $(= $value)?)),*],
        }
    };
}

pub(crate) use {choices, flags, name};
