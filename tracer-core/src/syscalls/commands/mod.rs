//! Calls whose arguments mean something else for each *command*: `ioctl`, `fcntl`, `prctl`, `futex`.

pub mod control;
pub mod ioctl;
mod ioctl_rows;
pub mod ipc;
pub mod process;
pub mod socket_options;

use super::kind::Type;
use super::{Class, Restarts};

/// The commands of one system call.
#[derive(Debug)]
pub struct CommandSet {
    /// Which argument is the command.
    pub selector: u8,
    /// The bits of it that tell commands apart.
    pub mask: u64,
    /// How far those bits are shifted left.
    pub shift: u8,
    /// Names of bits outside the mask.
    pub flags: &'static [(u64, &'static str)],
    /// Rows in ascending order of `value`.
    pub commands: &'static [Command],
    /// What arguments are that a command's row does not mention.
    pub otherwise: &'static Type,
}

/// What one command does.
#[derive(Debug)]
pub struct Command {
    /// Its number.
    pub value: u64,
    /// Its name.
    pub name: &'static str,
    /// The arguments that this command uses in its own way: index and kind.
    pub arguments: &'static [(u8, Type)],
    /// How it is replayed, if not as the system call's row says.
    pub class: Option<Class>,
    /// Whether it may sleep for long.
    pub blocks: bool,
    /// Whether the kernel restarts it after a signal handler.
    pub restarts: Restarts,
}

/// The rows of a [`CommandSet`]:
/// `NAME = value (index: kind, ...) class blocks restarts;` where everything after the value may be absent.
macro_rules! commands {
    ($($name:ident = $value:expr $(, ($($index:literal: $kind:expr),*))? $(, class $class:expr)?
       $(, blocks $restarts:ident)?;)*) => {
        &[$($crate::syscalls::commands::Command {
            value: ($value) as u32 as u64,
            name: stringify!($name),
            arguments: commands!(@arguments $(($($index: $kind),*))?),
            class: commands!(@class $($class)?),
            blocks: commands!(@blocks $($restarts)?),
            restarts: commands!(@restarts $($restarts)?),
        }),*]
    };
    (@arguments) => { &[] };
    (@arguments ($($index:literal: $kind:expr),*)) => { const { &[$(($index, $kind)),*] } };
    (@class) => { None };
    (@class $class:expr) => { Some($class) };
    (@blocks) => { false };
    (@blocks $restarts:ident) => { true };
    (@restarts) => { $crate::syscalls::Restarts::Never };
    (@restarts $restarts:ident) => { $crate::syscalls::Restarts::$restarts };
}
pub(crate) use commands;

impl CommandSet {
    /// The row for the command in `arguments`.
    pub fn find(&self, arguments: &[u64; 6]) -> Option<&'static Command> {
        let register = arguments.get(self.selector as usize)?;
        let value = (register & self.mask) >> self.shift;
        let at = self.commands.binary_search_by_key(&value, |command| command.value).ok()?;
        self.commands.get(at)
    }

    /// What argument `index` is with the command in `arguments`.
    pub fn kind(&self, index: usize, arguments: &[u64; 6]) -> Type {
        let own = self
            .find(arguments)
            .and_then(|command| command.arguments.iter().find(|(at, _)| *at as usize == index));
        own.map_or(*self.otherwise, |(_, kind)| *kind)
    }
}
