//! `imitate cc`: compiling programs so that sync order sees their accesses to memory.
//!
//! Compilers know how to put a call of a function before each access, and in place of each atomic operation: for
//! ThreadSanitizer. They are told to do so, but not to link ThreadSanitizer. What is linked is a stand-in
//! (`stand_in.c`, compiled when this tool is), which does what the program would have done, or, in a recording with
//! sync order and in its replay, has it ordered by the library.

mod compiler;
mod plain_calls;

use crate::arguments::{Accesses, Compile};
use crate::status::Ending;
use anyhow::{Context, Result, bail};
use compiler::Compiler;
use std::fs;

/// The stand-ins, as objects to link.
const ATOMICS: &[u8] = include_bytes!(env!("IMITATE_STAND_IN_ATOMICS"));
const ALL: &[u8] = include_bytes!(env!("IMITATE_STAND_IN_ALL"));

/// Compiles; gives how this process is to end.
pub fn compile(options: &Compile) -> Result<Ending> {
    let (program, arguments) = options.command.split_first().context("no compiler is named")?;
    let compiler = Compiler::of(program)?;
    if let Some(other) = arguments.iter().find(|argument| compiler.is_in_the_way(argument)) {
        bail!(
            "{} cannot be combined with imitate cc, which uses the compiler's own -fsanitize=thread: leave it out",
            other.display()
        );
    }
    let place = tempfile::Builder::new()
        .prefix("imitate-cc-")
        .tempdir()
        .context("cannot make a temporary directory for what is to be linked")?;
    let stand_in = place.path().join("stand-in.o");
    let bytes = if options.mode == Accesses::All { ALL } else { ATOMICS };
    fs::write(&stand_in, bytes).with_context(|| format!("cannot write {}", stand_in.display()))?;
    let mut command = compiler.command(program, arguments, options.mode, &stand_in)?;
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    if status.success() && options.mode == Accesses::Atomics {
        plain_calls::take_out(&compiler::output(arguments))?;
    }
    Ok(Ending::of(status))
}
