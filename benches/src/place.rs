//! The directory that all runs of a workload share, and how they are started there.

use crate::service::Sample;
use crate::workload::{Command, Workload};
use anyhow::{Context, Result, bail, ensure};
use examples::process_tree::descendants;
use examples::programs;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// After this, a program is taken to hang: far longer than any workload takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A prepared workload.
pub struct Place {
    root: TempDir,
    /// The program and its arguments.
    pub words: Vec<OsString>,
    input: Option<PathBuf>,
    client: Option<&'static str>,
    launcher: PathBuf,
}

/// What one run took.
pub struct Run {
    /// Seconds from its start to its end; of a server, from its client's.
    pub seconds: f64,
    /// The most memory that one process was resident with, in bytes: of all that were started and waited for, the
    /// largest (`ru_maxrss`).
    pub peak_bytes: u64,
    /// What the client of a server says.
    pub service: Option<Sample>,
}

impl Place {
    /// Makes the inputs of `workload`.
    pub fn new(workload: &Workload) -> Result<Place> {
        let root = tempfile::Builder::new().prefix("imitate-bench-").tempdir()?;
        (workload.prepare)(root.path()).context("cannot make the inputs")?;
        let (command, client) = match &workload.command {
            Command::Served(server, client) => (&**server, Some(*client)),
            other => (other, None),
        };
        let (mut words, input) = words(command)?;
        words.extend(workload.operations.map(|count| count.to_string().into()));
        let input = input.map(|name| root.path().join(name));
        Ok(Place { root, words, input, client, launcher: program("launch.c")? })
    }

    /// Where the trace of a recording goes.
    pub fn trace(&self) -> PathBuf {
        self.root.path().join("trace")
    }

    /// Deletes the trace, so that the next recording can be made.
    pub fn remove_trace(&self) -> Result<()> {
        let trace = self.trace();
        fs::remove_dir_all(&trace).with_context(|| format!("cannot delete {}", trace.display()))
    }

    /// Runs `words` to their end, their output discarded, and the client of a server. An error if they fail.
    pub fn run(&self, words: &[OsString]) -> Result<Run> {
        let Some(script) = self.client else { return self.run_alone(words) };
        self.settle()?;
        let mut server = self.start(&self.launch(words), Stdio::null())?;
        match self.ask(script) {
            Ok((seconds, service)) => {
                let output = self.finish(server)?;
                Ok(Run { seconds, service: Some(service), ..self.report(&output)? })
            }
            Err(error) => {
                kill(server.id());
                // It ends now; the client's error is the one to tell.
                let _ = server.wait();
                Err(error.context("the client"))
            }
        }
    }

    /// Waits for the server of the client `script`, and runs that.
    fn ask(&self, script: &str) -> Result<(f64, Sample)> {
        // It is there when it accepts a connection; how long that takes is not part of the throughput.
        let ready = format!("until (exec 3<>/dev/tcp/127.0.0.1/{}) 2>&-; do :; done", port(script)?);
        let ready = ["timeout".into(), "60".into(), "bash".into(), "-c".into(), ready.into()];
        self.finish(self.start(&ready, Stdio::null())?).context("waiting for the server")?;
        let started = Instant::now();
        let client = self.start(&["bash".into(), "-c".into(), script.into()], Stdio::piped())?;
        let output = self.finish(client)?;
        Ok((started.elapsed().as_secs_f64(), Sample::from_output(&output)?))
    }

    /// Runs `words` to their end by themselves, which is all that a replay needs.
    pub fn run_alone(&self, words: &[OsString]) -> Result<Run> {
        Ok(self.run_into(words, Stdio::null())?.0)
    }

    /// The same, with what they wrote to their output.
    pub fn run_for_output(&self, words: &[OsString]) -> Result<(Run, String)> {
        self.run_into(words, Stdio::piped())
    }

    fn run_into(&self, words: &[OsString], output: Stdio) -> Result<(Run, String)> {
        self.settle()?;
        let output = self.finish(self.start(&self.launch(words), output)?)?;
        Ok((self.report(&output)?, output))
    }

    /// The command line that runs `words` and writes a report.
    fn launch(&self, words: &[OsString]) -> Vec<OsString> {
        let launcher = [self.launcher.clone().into(), self.root.path().join("report").into()];
        [&launcher, words].concat()
    }

    /// What the launcher wrote: nanoseconds, KiB, and a status, which is an error unless it is 0: with what the program said.
    fn report(&self, output: &str) -> Result<Run> {
        let path = self.root.path().join("report");
        let text = fs::read_to_string(&path).context("the launcher wrote no report")?;
        fs::remove_file(&path)?;
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [nanoseconds, kibibytes, status] = numbers[..] else { bail!("the launcher wrote {text:?}") };
        let status = ExitStatus::from_raw(status as i32);
        ensure!(status.success(), "{}: {status}\n{}", self.words[0].display(), output.trim_end());
        Ok(Run { seconds: nanoseconds as f64 / 1e9, peak_bytes: kibibytes * 1024, service: None })
    }

    /// Waits until the disk has what earlier runs wrote: a run that deletes or overwrites a file waits for that, and would
    /// pay for its predecessor, which is always the same kind of run.
    fn settle(&self) -> Result<()> {
        let status = process::Command::new("sync").arg("--file-system").arg(self.root.path()).status();
        ensure!(status.context("cannot run sync")?.success(), "sync failed");
        Ok(())
    }

    /// Starts `words`, in this process group: what interrupts this program at a terminal ends them, too.
    pub fn start(&self, words: &[OsString], output: Stdio) -> Result<Child> {
        let input = match &self.input {
            Some(path) => File::open(path).with_context(|| format!("cannot open {}", path.display()))?.into(),
            None => Stdio::null(),
        };
        let mut command = process::Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.root.path());
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        command.spawn().with_context(|| format!("cannot run {}", words[0].display()))
    }

    /// Waits for the end; what was written to pipes. What takes too long is killed.
    fn finish(&self, mut child: Child) -> Result<String> {
        let (ended, end) = mpsc::channel::<()>();
        let id = child.id();
        let watchdog = thread::spawn(move || {
            let hangs = end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if hangs {
                kill(id);
            }
            hangs
        });
        // What is written to both is a line or two: neither pipe is full while the other one is read.
        let (mut output, mut message) = (String::new(), String::new());
        if let Some(mut pipe) = child.stdout.take() {
            output = read(&mut pipe)?;
        }
        if let Some(mut pipe) = child.stderr.take() {
            message = read(&mut pipe)?;
        }
        let status = child.wait().context("cannot wait for the program")?;
        drop(ended);
        if watchdog.join().is_ok_and(|hangs| hangs) {
            bail!("{} did not end in {} s and was killed", self.words[0].display(), PATIENCE.as_secs());
        }
        ensure!(status.success(), "{}: {status}\n{}", self.words[0].display(), message.trim_end());
        Ok(output + &message)
    }
}

fn read(pipe: &mut impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Kills a child that has not been waited for, and all its descendants.
fn kill(child: u32) {
    for process in descendants(child).into_iter().chain([child]) {
        let process = i32::try_from(process).ok().and_then(Pid::from_raw);
        // It may have ended by itself.
        let _ = process.map(|process| kill_process(process, Signal::KILL));
    }
}

/// The words of a command, and the name of the file that is its input.
fn words(command: &Command) -> Result<(Vec<OsString>, Option<&'static str>)> {
    let split = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<OsString>>();
    Ok(match command {
        Command::Installed(words) => (split(words), None),
        Command::Fed(words, input) => (split(words), Some(input)),
        Command::Own(source, options, arguments) => {
            let mut all = vec![compiled(source, options)?.into()];
            all.extend(arguments.split_whitespace().map(OsString::from));
            (all, None)
        }
        Command::Builtin(name) => {
            let this = std::env::current_exe().context("cannot find the path of the running program")?;
            (vec![this.into(), "builtin".into(), name.into()], None)
        }
        Command::Served(server, _) => words(server)?,
    })
}

/// The first number of four digits in a client's script: the port of its server.
fn port(script: &str) -> Result<&str> {
    script
        .split(|character: char| !character.is_ascii_digit())
        .find(|digits| digits.len() == 4)
        .context("the client's script has no port")
}

/// The executable for a source in `benches/programs`.
pub fn program(source: &str) -> Result<PathBuf> {
    compiled(source, "")
}

fn compiled(source: &str, options: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
    programs::executable(&path, options)
}
