//! Records a case, destroys its circumstances, replays it and compares.

use crate::case::{Case, Command, Expected, Input, Output};
use crate::difference;
use crate::process_tree::concerned_with;
use crate::programs;
use crate::recorder::Recorder;
use crate::run::{End, Launch, Outcome, Running, kill_all, run};
use crate::settings::Settings;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How many seeds a hunt tries.
const SEEDS: u64 = 500;

/// Checks all that `case` says. An error has what a reader of the test's log needs; the trace is kept then.
pub fn prove(case: &Case, settings: &Settings) -> Result<()> {
    for (command, package) in &case.needs {
        ensure!(is_installed(command), "{command} is not installed: run `apt-get install {package}`");
    }
    let place = Place::new(case, settings)?;
    let native = match case.end {
        Expected::Refused(_) => None,
        _ => Some(place.run_natively(case).context("natively, before any recording")?),
    };
    if settings.native_only {
        // A second native run shows whether what the row says about its output is true.
        return match &native {
            Some(native) => check_recording(case, native, &place.run_natively(case)?),
            None => Ok(()),
        };
    }
    let recorder = Recorder { tool: settings.tool.clone() };
    let proven = place.record_and_replay(case, &recorder, native.as_ref(), settings.replays);
    if proven.is_err() {
        // What hung may have companions that belong to nobody any more.
        kill_all(&concerned_with(place.root.path()));
        let kept = place.root.keep();
        return proven
            .with_context(|| format!("{:?}\nthe trace is kept in {}", case.command, kept.display()));
    }
    Ok(())
}

/// What can be seen of a case: of a run without the recorder (if it is not one that the recorder refuses), of one that is recorded,
/// and of its replay.
pub fn show(case: &Case, settings: &Settings) -> Result<Vec<(&'static str, Outcome)>> {
    let refused = matches!(case.end, Expected::Refused(_));
    let place = Place::new(case, settings)?;
    let recorder = Recorder { tool: settings.tool.clone() };
    let mut seen = Vec::new();
    if !refused {
        seen.push(("as it is", place.run_natively(case)?));
    }
    seen.push(("recorded", place.record_or_hunt(case, &recorder, &place.trace())?));
    if !refused {
        place.destroy()?;
        let (_, replayed) = place.replay(case, &recorder, &place.trace(), 1)?;
        seen.push(("replayed", replayed));
    }
    Ok(seen)
}

/// Where one case is played out.
struct Place {
    root: TempDir,
    /// The directory that the command runs in, the same for the native and the recorded run.
    work: PathBuf,
    words: Vec<OsString>,
    port: String,
    patience: Duration,
}

impl Place {
    fn new(case: &Case, settings: &Settings) -> Result<Place> {
        let root = tempfile::Builder::new().prefix("imitate-test-").tempdir()?;
        // The port is free again when the listener is dropped, and the kernel hands out others for a while.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let in_words = |words: &str| {
            words
                .split_whitespace()
                .map(|word| word.replace("{port}", &port).into())
                .collect::<Vec<OsString>>()
        };
        let words = match case.command {
            Command::Own { source, compiler_flags, arguments, rebuilt } => {
                let source = programs::sources().join(source);
                let executable = match rebuilt {
                    Some(how) => programs::rebuilt(&source, compiler_flags, how, &settings.tool)?,
                    None => programs::executable(&source, compiler_flags)?,
                };
                let mut words = vec![executable.into_os_string()];
                words.extend(in_words(arguments));
                words
            }
            Command::Built { binary, arguments } => {
                let mut words = vec![programs::built(binary)?.into_os_string()];
                words.extend(in_words(arguments));
                words
            }
            Command::Words(words) => in_words(words),
            Command::Script(text) => {
                vec!["bash".into(), "-c".into(), text.replace("{port}", &port).into()]
            }
        };
        let work = root.path().join("work");
        Ok(Place { root, work, words, port, patience: settings.patience })
    }

    fn run_natively(&self, case: &Case) -> Result<Outcome> {
        self.prepare(case)?;
        let outcome = self.run_in_its_place(case, self.words.clone())?;
        ensure!(
            ended_as_expected(case.end, outcome.end),
            "expected {:?}, got {}\nstdout: {}\nstderr: {}",
            case.end,
            outcome.end,
            difference::tail(&outcome.stdout),
            difference::tail(&outcome.stderr)
        );
        Ok(outcome)
    }

    fn record_and_replay(
        &self,
        case: &Case,
        recorder: &Recorder,
        native: Option<&Outcome>,
        replays: u32,
    ) -> Result<()> {
        let trace = self.trace();
        let recorded = self.record_or_hunt(case, recorder, &trace)?;
        match (case.end, native) {
            (Expected::Refused(words), _) => return check_refusal(words, &recorded),
            (_, Some(native)) => check_recording(case, native, &recorded)?,
            (_, None) => {}
        }
        self.destroy()?;
        for number in 1..=replays {
            let (elsewhere, replayed) = self.replay(case, recorder, &trace, number)?;
            if let Some(difference) = difference::between(&recorded, &replayed) {
                bail!("replay {number} of {replays} is not the recorded run:\n{difference}");
            }
            ensure!(
                fs::read_dir(&elsewhere)?.next().is_none() && !self.work.exists(),
                "replay {number} of {replays} has made files in {} or {}",
                elsewhere.display(),
                self.work.display()
            );
        }
        Ok(())
    }

    fn trace(&self) -> PathBuf {
        self.root.path().join("trace")
    }

    /// Gives the directory that the replay ran in, too, which is one of its own for each `number`.
    fn replay(
        &self,
        case: &Case,
        recorder: &Recorder,
        trace: &Path,
        number: u32,
    ) -> Result<(PathBuf, Outcome)> {
        let elsewhere = self.root.path().join(format!("somewhere-else-{number}"));
        fs::create_dir(&elsewhere)?;
        let replayed = run(&self.replay_launch(case, recorder.replay(trace), &elsewhere))?;
        Ok((elsewhere, replayed))
    }

    fn record_or_hunt(&self, case: &Case, recorder: &Recorder, trace: &Path) -> Result<Outcome> {
        match case.hunted {
            Some(shows) => self.hunt(case, recorder, trace, shows),
            None => self.record(case, recorder, trace, None),
        }
    }

    fn record(&self, case: &Case, recorder: &Recorder, trace: &Path, chaos: Option<u64>) -> Result<Outcome> {
        self.prepare(case)?;
        self.run_in_its_place(case, recorder.record(&self.words, trace, chaos, case.in_parallel))
    }

    fn hunt(
        &self,
        case: &Case,
        recorder: &Recorder,
        trace: &Path,
        shows: fn(&str) -> bool,
    ) -> Result<Outcome> {
        for seed in 1..=SEEDS {
            let recorded = self.record(case, recorder, trace, Some(seed))?;
            if shows(&String::from_utf8_lossy(&recorded.stdout)) {
                return Ok(recorded);
            }
            fs::remove_dir_all(trace).context("a recording without a trace")?;
        }
        bail!("what chaos should bring out did not show with {SEEDS} seeds")
    }

    fn prepare(&self, case: &Case) -> Result<()> {
        self.destroy()?;
        fs::create_dir(&self.work)?;
        (case.prepare)(&self.work).context("cannot make the inputs")
    }

    /// Inputs and outputs: all that the run could find on disk again.
    fn destroy(&self) -> Result<()> {
        match fs::remove_dir_all(&self.work) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot delete {}", self.work.display()))
            }
            _ => Ok(()),
        }
    }

    fn run_in_its_place(&self, case: &Case, words: Vec<OsString>) -> Result<Outcome> {
        let launch = |words: Vec<OsString>, input: Input| Launch {
            words,
            directory: self.work.clone(),
            environment: environment(&self.work),
            input,
            without_network: false,
            patience: self.patience,
        };
        let command = launch(words, case.input);
        let Some(partner) = case.partner else { return run(&command) };
        let script = partner.script.replace("{port}", &self.port);
        let beside = launch(vec!["bash".into(), "-c".into(), script.into()], Input::Nothing);
        let [first, second] = if partner.starts_first { [&beside, &command] } else { [&command, &beside] };
        let mut first = Running::start(first)?;
        if let Err(error) = first.wait_for_output() {
            first.kill()?;
            return Err(error.context("waiting for the first of two programs to print something"));
        }
        let second = Running::start(second)?;
        let (command, mut beside) = if partner.starts_first { (second, first) } else { (first, second) };
        let outcome = command.finish();
        beside.kill()?;
        outcome
    }

    /// A replay gets other circumstances than the recording had: directory, environment, input, network.
    fn replay_launch(&self, case: &Case, words: Vec<OsString>, directory: &Path) -> Launch {
        let input = match case.input {
            Input::Terminal(_) => Input::Terminal(&[]),
            Input::Nothing | Input::Bytes(_) => Input::Nothing,
        };
        let environment =
            [("PATH", "/usr/bin:/bin"), ("TZ", "Pacific/Chatham"), ("SOMETHING_ELSE", "a replay")]
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into();
        Launch {
            words,
            directory: directory.into(),
            environment,
            input,
            without_network: true,
            patience: self.patience,
        }
    }
}

/// The environment of native and recorded runs: nothing of the test's own.
fn environment(home: &Path) -> Vec<(String, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut variables: Vec<(String, OsString)> =
        [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TERM", "vt100"), ("TZ", "UTC")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into();
    variables.push(("PATH".to_owned(), path));
    variables.extend(["HOME", "TMPDIR"].map(|name| (name.to_owned(), home.into())));
    variables
}

fn ended_as_expected(expected: Expected, end: End) -> bool {
    match expected {
        Expected::Exit(status) => end == End::Exit(status),
        Expected::Signal(signal) => end == End::Signal(signal),
        Expected::Refused(_) => false,
    }
}

fn check_recording(case: &Case, native: &Outcome, recorded: &Outcome) -> Result<()> {
    let difference = difference::between(native, recorded);
    match case.output {
        Output::Steady => {
            if let Some(difference) = difference {
                bail!("it does not do what it does natively:\n{difference}");
            }
        }
        Output::Varies => ensure!(
            native.stdout != recorded.stdout,
            "it printed the same in two runs, so a replay of it would show nothing"
        ),
        Output::Either => {}
    }
    ensure!(
        ended_as_expected(case.end, recorded.end),
        "recorded: expected {:?}, got {}\nstderr: {}",
        case.end,
        recorded.end,
        difference::tail(&recorded.stderr)
    );
    Ok(())
}

fn check_refusal(words: &str, refused: &Outcome) -> Result<()> {
    let message = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.end != End::Exit(0) && refused.stdout.is_empty() && message.contains(words),
        "expected a refusal that says {words:?}, got {} and: {message}",
        refused.end
    );
    Ok(())
}

fn is_installed(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.contains('/') || std::env::split_paths(&path).any(|directory| directory.join(command).is_file())
}
