//! What is to be done with one particular call, where the row alone does not decide.

use super::capture::resolve;
use super::commands::{CommandSet, ioctl, socket_options};
use super::kind::{Buffer, Direction, Type};
use super::layout::Layout;
use super::structures::TIMESPEC;
use super::{Class, Restarts, Syscall};

/// How to treat one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// How replay gets its result.
    pub class: Class,
    /// It may sleep for long.
    pub blocks: bool,
    /// The kernel makes it again after a handler with SA_RESTART.
    pub restarts: bool,
    /// It does so whatever the handler's flags are.
    pub never_interrupted: bool,
}

/// How to treat call `s` with arguments `a`: by the row of its command or option, if it has such, or else by
/// its own. Callers that decide by [`Syscall::class`] alone miss commands that must be refused.
pub fn behaviour(s: &Syscall, a: &[u64; 6]) -> Behaviour {
    let with = |class: Option<Class>, blocks: bool, rule: Restarts| Behaviour {
        class: class.unwrap_or(s.class),
        blocks,
        restarts: restarts(s, a, rule),
        never_interrupted: rule == Restarts::Unconditionally,
    };
    let Some(commands) = commands(s) else {
        let has_option = s.arguments.iter().any(|argument| matches!(argument.kind, Type::SocketOption));
        let class = if has_option { socket_options::class(s.number, a) } else { None };
        return with(class, s.blocks, s.restart);
    };
    match commands.find(a) {
        Some(command) => with(command.class, command.blocks, command.restarts),
        None => {
            let class = if core::ptr::eq(commands, &ioctl::IOCTL) { ioctl::class(a[1]) } else { None };
            // Of a command that nobody knows, the row's word is the safe one.
            with(class, s.blocks, s.restart)
        }
    }
}

fn commands(s: &Syscall) -> Option<&'static CommandSet> {
    s.arguments.iter().find_map(|argument| match argument.kind {
        Type::Command(set) => Some(set),
        _ => None,
    })
}

fn restarts(s: &Syscall, a: &[u64; 6], rule: Restarts) -> bool {
    match rule {
        Restarts::Never => false,
        Restarts::Always | Restarts::Unconditionally => true,
        Restarts::Untimed => !timed(s, a),
    }
}

/// Whether the call was given a timeout. The kernel would have to make a futex call again with what remains
/// of it, and does so only after a stop, not after a handler.
fn timed(s: &Syscall, a: &[u64; 6]) -> bool {
    s.arguments.iter().zip(a).enumerate().any(|(index, (argument, &value))| {
        matches!(resolve(argument.kind, index, a), Type::Buffer(buffer) if is_timeout(&buffer)) && value != 0
    })
}

fn is_timeout(buffer: &Buffer) -> bool {
    buffer.direction == Direction::In
        && matches!(buffer.layout, Layout::Structure(one) if core::ptr::eq(one, &TIMESPEC))
}
