//! The rows: every x86-64 system call, by subject, and the index by number.

mod events;
mod files;
mod input_output;
mod ipc;
mod memory;
mod mounts;
mod network;
mod obsolete;
mod paths;
mod process;
mod signals;
mod system;
mod time;
mod users;

use super::Syscall;

/// One more than the highest number in the first block of numbers.
pub const FIRST_END: usize = 335;
/// The first number after the gap that was left so that new calls have the same number everywhere.
pub const SECOND_START: usize = 424;
/// One more than the highest number described.
pub const SECOND_END: usize = 470;

/// All rows, by subject.
pub const GROUPS: [&[Syscall]; 14] = [
    events::ROWS,
    files::ROWS,
    input_output::ROWS,
    ipc::ROWS,
    memory::ROWS,
    mounts::ROWS,
    network::ROWS,
    obsolete::ROWS,
    paths::ROWS,
    process::ROWS,
    signals::ROWS,
    system::ROWS,
    time::ROWS,
    users::ROWS,
];

/// How many rows there are.
pub const COUNT: usize = FIRST_END + SECOND_END - SECOND_START;

/// Where the row of `number` is in [`INDEX`].
pub const fn position(number: u64) -> Option<usize> {
    if number < FIRST_END as u64 {
        Some(number as usize)
    } else if number >= SECOND_START as u64 && number < SECOND_END as u64 {
        Some(number as usize - SECOND_START + FIRST_END)
    } else {
        None
    }
}

/// The rows in the order of [`position`]. Not compiling is what a missing or a double number does.
pub static INDEX: [&Syscall; COUNT] = index();

const fn index() -> [&'static Syscall; COUNT] {
    let mut found: [Option<&'static Syscall>; COUNT] = [None; COUNT];
    let mut group = 0;
    while group < GROUPS.len() {
        let rows: &'static [Syscall] = GROUPS[group];
        let mut row = 0;
        while row < rows.len() {
            let Some(at) = position(rows[row].number as u64) else { panic!("not a number of a system call") };
            assert!(found[at].is_none(), "two rows have the same number");
            found[at] = Some(&rows[row]);
            row += 1;
        }
        group += 1;
    }
    let mut index = [&GROUPS[0][0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        let Some(row) = found[at] else { panic!("a number has no row") };
        index[at] = row;
        at += 1;
    }
    index
}

/// Rows: `number name Class (argument: kind, ...) blocks Restarts;`, where everything after the arguments may
/// be absent. `blocks` is for calls that may sleep for long.
macro_rules! rows {
    ($($number:literal $name:ident $class:expr => ($($argument:ident: $kind:expr),* $(,)?)
       $(blocks $restarts:ident)?;)*) => {
        &[$({
            const ARGUMENTS: &[$crate::syscalls::Argument] = &[
                $($crate::syscalls::Argument { name: stringify!($argument), kind: $kind }),*
            ];
            $crate::syscalls::Syscall {
                number: $number,
                name: stringify!($name),
                class: $class,
                blocks: rows!(@blocks $($restarts)?),
                restarts: !matches!(rows!(@restarts $($restarts)?), $crate::syscalls::Restarts::Never),
                restart: rows!(@restarts $($restarts)?),
                values_before: $crate::syscalls::capture::values_before(ARGUMENTS),
                arguments: ARGUMENTS,
            }
        }),*]
    };
    (@blocks) => { false };
    (@blocks $restarts:ident) => { true };
    (@restarts) => { $crate::syscalls::Restarts::Never };
    (@restarts $restarts:ident) => { $crate::syscalls::Restarts::$restarts };
}
pub(crate) use rows;
