//! Starting the program in a child process and waiting for it.

use super::{ahead, foreground};
use anyhow::{Context, Result, bail};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use std::fs::File;
use std::io::{Error, ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use tracer_core::companion::launch::{Launch, exec_program, find_library};
use tracer_core::companion::{Opening, Started};

/// The program, running.
pub struct Running {
    process: libc::pid_t,
}

/// The program, on its way.
pub struct Starting {
    program: Running,
    /// Gives the reason if the kernel does not execute it.
    reason: PipeReader,
}

/// Files that a program writes to instead of this process's outputs.
pub struct Outputs {
    /// What it has as stdout.
    pub stdout: File,
    /// What it has as stderr.
    pub stderr: File,
}

/// Where libimitate.so is: `$IMITATE_LIBRARY`, or near this tool.
pub fn library() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    Ok(find_library(std::env::var_os("IMITATE_LIBRARY"), &own)?)
}

impl Running {
    /// Starts the program, in `directory` if that is given and there, with other `outputs` if they are given, and then
    /// its companion, for which the program waits.
    ///
    /// Errors: the companion cannot do its work, and the program has not begun. What came of the program by itself is
    /// the second result: an error if the kernel does not execute it.
    pub fn start(
        opening: Opening,
        launch: &Launch,
        directory: Option<&Path>,
        outputs: Option<&Outputs>,
    ) -> Result<(Started, Result<Running>)> {
        let starting = Running::fork(launch, directory, outputs)?;
        match opening.start(ahead::search) {
            Ok(started) => Ok((started, starting.finish())),
            Err(error) => {
                starting.cancel();
                Err(error.into())
            }
        }
    }

    fn fork(launch: &Launch, directory: Option<&Path>, outputs: Option<&Outputs>) -> Result<Starting> {
        // The writing end is closed by exec: then there is nothing to read, else the reason.
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        foreground::take_over_signals();
        // SAFETY: the tool has one thread until the program runs, so the child may use all of it.
        match unsafe { libc::fork() } {
            -1 => Err(Error::last_os_error()).context("cannot fork"),
            0 => become_program(launch, directory, outputs, reader, writer),
            process => {
                foreground::forward_to(process);
                drop(writer);
                Ok(Starting { program: Running { process }, reason: reader })
            }
        }
    }

    /// Waits until it has ended; gives its status.
    pub fn wait(&self) -> Result<ExitStatus> {
        let mut status = 0;
        loop {
            // SAFETY: the kernel writes to `status`.
            if unsafe { libc::waitpid(self.process, &mut status, 0) } == self.process {
                // The id may be another process's from now on.
                foreground::forward_to(0);
                return Ok(ExitStatus::from_raw(status));
            }
            let error = Error::last_os_error();
            if error.kind() != ErrorKind::Interrupted {
                return Err(error).context("cannot wait for the program");
            }
        }
    }
}

impl Starting {
    /// Waits until the kernel has executed the program.
    fn finish(mut self) -> Result<Running> {
        let mut reason = String::new();
        self.reason.read_to_string(&mut reason).context("cannot read why the program did not start")?;
        if !reason.is_empty() {
            self.program.wait()?;
            bail!("{reason}");
        }
        Ok(self.program)
    }

    /// Ends the program before it has begun.
    fn cancel(self) {
        // SAFETY: a child that has not been waited for, so the id is not another process's.
        unsafe { libc::kill(self.program.process, libc::SIGKILL) };
        // Fails only if there is nothing to wait for.
        let _ = self.program.wait();
    }
}

fn become_program(
    launch: &Launch,
    directory: Option<&Path>,
    outputs: Option<&Outputs>,
    reader: PipeReader,
    mut writer: PipeWriter,
) -> ! {
    drop(reader);
    if let Some(outputs) = outputs
        && let Err(error) = dup2_stdout(&outputs.stdout).and_then(|()| dup2_stderr(&outputs.stderr))
    {
        let _ = writer.write_all(format!("cannot redirect its output: {error}").as_bytes());
        // SAFETY: as below.
        unsafe { libc::_exit(crate::status::FAILED) }
    }
    if let Some(directory) = directory {
        // Only a relative LD_LIBRARY_PATH or the like needs it: what the program itself asks for is answered
        // from the trace.
        let _ = std::env::set_current_dir(directory);
    }
    let error = exec_program(launch);
    // If the parent is gone, there is nobody to tell.
    let _ = writer.write_all(error.to_string().as_bytes());
    // SAFETY: ends this process without running what the parent registered.
    unsafe { libc::_exit(crate::status::FAILED) }
}
