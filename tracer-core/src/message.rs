//! What the tool and the companion tell the user, on stderr.
//!
//! A program that is recorded or replayed writes there at the same time. stderr has no buffer: `eprintln!` makes a write(2) of
//! each piece between two arguments, and what the program writes may come between them. Here a message is one write.

use std::io::{Write, stderr};

/// Tells the user one line that says whose it is: `imitate: ` and what `format!` makes of the arguments.
#[macro_export]
macro_rules! tell {
    ($($argument:tt)*) => {
        $crate::message::write(format!("imitate: {}\n", format_args!($($argument)*)))
    };
}

/// Writes a message as it is.
pub fn write(message: impl AsRef<[u8]>) {
    // There is nobody else to tell of a failure.
    let _ = stderr().write_all(message.as_ref());
}
