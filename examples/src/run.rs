//! Runs a command to its end and keeps all that can be seen of it from outside.

use crate::case::Input;
use crate::process_tree::descendants;
use crate::terminal::{Terminal, watch};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, ioctl_tiocsctty, kill_process, kill_process_group, setsid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A command and its circumstances.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Its whole environment.
    pub environment: Vec<(String, OsString)>,
    /// Its standard input.
    pub input: Input,
    /// Runs it in a network namespace of its own, without interfaces, where we have the right to make one.
    pub without_network: bool,
    /// If it has not ended after this long it is taken to hang and is killed.
    pub patience: Duration,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its exit status.
    Exit(i32),
    /// The signal that killed it.
    Signal(i32),
    /// It did not end and was killed by the harness.
    Hung,
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            End::Exit(status) => write!(formatter, "exit status {status}"),
            End::Signal(signal) => write!(formatter, "death by signal {signal}"),
            End::Hung => write!(formatter, "nothing: it was killed because it hung"),
        }
    }
}

/// All that can be seen of a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Bytes written to standard output, or to the terminal.
    pub stdout: Vec<u8>,
    /// Bytes written to standard error.
    pub stderr: Vec<u8>,
}

/// A command that is running.
pub struct Running {
    child: Child,
    hangs_at: Instant,
    /// Standard output and standard error, as far as they have been read.
    streams: [Arc<Mutex<Vec<u8>>>; 2],
    /// A message for the first bytes, and the channel's end when all has been read.
    progress: Receiver<()>,
}

impl Running {
    /// Starts it. An error says which program could not be started.
    pub fn start(launch: &Launch) -> Result<Running> {
        let mut command = Command::new(&launch.words[0]);
        command.args(&launch.words[1..]).current_dir(&launch.directory).env_clear();
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        let (progress, received) = channel();
        let streams: [Arc<Mutex<Vec<u8>>>; 2] = Default::default();
        let terminal = match launch.input {
            Input::Terminal(keys) => {
                let terminal = Terminal::open().context("cannot open a pseudo-terminal")?;
                command.stdin(terminal.device.try_clone()?).stdout(terminal.device.try_clone()?);
                command.stderr(terminal.device);
                Some((terminal.screen, keys))
            }
            Input::Nothing => {
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            Input::Bytes(_) => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
        };
        let (has_terminal, without_network) = (terminal.is_some(), launch.without_network);
        // SAFETY: the closure runs in the forked child; it makes a few system calls and neither allocates nor locks.
        unsafe { command.pre_exec(move || enter_session(has_terminal, without_network)) };
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}", launch.words[0].to_string_lossy()))?;
        // The command holds its ends of the terminal; they must be ours no more for the terminal to be closed.
        drop(command);
        if let Some((screen, keys)) = terminal {
            let seen = streams[0].clone();
            thread::spawn(move || {
                let screen = watch(screen, keys);
                seen.lock().unwrap().extend(screen.unwrap_or_else(|error| error.to_string().into_bytes()));
                drop(progress);
            });
        } else {
            if let (Input::Bytes(bytes), Some(mut pipe)) = (launch.input, child.stdin.take()) {
                // A program that does not read all its input is no error.
                thread::spawn(move || pipe.write_all(bytes));
            }
            collect(child.stdout.take(), streams[0].clone(), progress.clone());
            collect(child.stderr.take(), streams[1].clone(), progress);
        }
        Ok(Running { child, hangs_at: Instant::now() + launch.patience, streams, progress: received })
    }

    /// Waits until it has written something. It is an error if it ends or hangs without doing so.
    pub fn wait_for_output(&self) -> Result<()> {
        match self.progress.recv_timeout(self.time_left()) {
            Ok(()) => Ok(()),
            Err(_) => {
                let complaint = self.streams[1].lock().unwrap();
                bail!("it ended or hung before it wrote anything: {}", String::from_utf8_lossy(&complaint))
            }
        }
    }

    /// Waits for its end and for the end of everything that has its output open.
    pub fn finish(mut self) -> Result<Outcome> {
        let hung = loop {
            match self.progress.recv_timeout(self.time_left()) {
                Ok(()) => continue,
                Err(RecvTimeoutError::Disconnected) => break false,
                Err(RecvTimeoutError::Timeout) => break true,
            }
        };
        let status = if hung { self.kill()? } else { self.child.wait()? };
        let take = |stream: &Mutex<Vec<u8>>| std::mem::take(&mut *stream.lock().unwrap());
        let end = match (hung, status.code(), status.signal()) {
            (true, ..) => End::Hung,
            (false, Some(status), _) => End::Exit(status),
            (false, None, signal) => End::Signal(signal.unwrap_or_default()),
        };
        Ok(Outcome { end, stdout: take(&self.streams[0]), stderr: take(&self.streams[1]) })
    }

    fn time_left(&self) -> Duration {
        self.hangs_at.saturating_duration_since(Instant::now())
    }

    /// Ends it, all processes of its group, and those of its descendants that have left the group.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        kill_all(&descendants(self.child.id()));
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            // Failing means that nothing is left in the group. Our child is not reaped yet, so its id is its own.
            let _ = kill_process_group(group, Signal::KILL);
        }
        self.child.wait().context("cannot wait for a killed process")
    }
}

/// Kills processes; those that have ended since are nothing to worry about.
pub fn kill_all(processes: &[u32]) {
    for process in processes {
        let _ = Pid::from_raw(*process as i32).map(|process| kill_process(process, Signal::KILL));
    }
}

/// Runs `launch` to its end.
pub fn run(launch: &Launch) -> Result<Outcome> {
    Running::start(launch)?.finish()
}

/// Reads a pipe to its end in a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>, into: Arc<Mutex<Vec<u8>>>, progress: Sender<()>) {
    let Some(mut pipe) = pipe else { return };
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(&buffer[..length]);
            // Nobody listens once the run has been given up.
            let _ = progress.send(());
        }
    });
}

/// In the child, before exec: a session of its own (so that all of it can be killed at once), with the terminal
/// if there is one, and without the network if that is asked for and allowed.
fn enter_session(has_terminal: bool, without_network: bool) -> std::io::Result<()> {
    // A shell without job control starts background commands, such as this test, with these ignored, and Python does
    // not let itself be interrupted then.
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: sets a signal's default disposition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    setsid()?;
    if has_terminal {
        // SAFETY: descriptor 0 is open: it is the terminal.
        let terminal = unsafe { BorrowedFd::borrow_raw(0) };
        ioctl_tiocsctty(terminal.as_fd())?;
    }
    if without_network {
        // SAFETY: a new network namespace takes no memory, descriptor or directory away from this process.
        let made = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
        // Where we may not, the replay runs with a network: a weaker test, not a failed one.
        let _ = made;
    }
    Ok(())
}
