//! What a test says: a command, its circumstances, and what must come of it. Data only; [`crate::proof`] acts.

use std::path::Path;

/// One thing to record and replay, built up from [`own`], [`built`], [`debian`] or [`script`] by the methods of [`Case`].
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique within its table; what a test run is filtered by.
    pub name: String,
    /// What is run.
    pub command: Command,
    /// Makes the inputs in the (empty) directory that the command runs in. They are gone when it is replayed.
    pub prepare: fn(&Path) -> std::io::Result<()>,
    /// What the command can read and whether it has a terminal.
    pub input: Input,
    /// How its output relates to that of an unrecorded run.
    pub output: Output,
    /// How it must end.
    pub end: Expected,
    /// Commands that must be installed, each with the Debian package that has it.
    pub needs: Vec<(&'static str, &'static str)>,
    /// An unrecorded program that runs at the same time, such as the other end of a connection.
    pub partner: Option<Partner>,
    /// It is recorded with chaos, with one seed after another, until this is true of what it prints.
    pub hunted: Option<fn(&str) -> bool>,
    /// It is recorded with `--order sync`.
    pub in_parallel: bool,
}

/// What is run. In words and scripts `{port}` stands for a TCP port of 127.0.0.1 that was free a moment ago.
#[derive(Clone, Debug)]
pub enum Command {
    /// A program of ours, compiled on first use.
    Own {
        /// Path below `examples/programs`.
        source: &'static str,
        /// For the compiler, separated by spaces.
        compiler_flags: &'static str,
        /// For the program, separated by spaces.
        arguments: &'static str,
        /// It is compiled by `imitate cc`.
        rebuilt: Option<Rebuilt>,
    },
    /// A program of ours that needs crates, and so is built by Cargo with the tests.
    Built {
        /// Name of the binary in this package.
        binary: &'static str,
        /// For the program, separated by spaces.
        arguments: &'static str,
    },
    /// An installed program and its arguments, separated by spaces.
    Words(&'static str),
    /// Text for `bash -c`.
    Script(&'static str),
}

/// How `imitate cc` is asked to compile.
#[derive(Clone, Copy, Debug)]
pub struct Rebuilt {
    /// For `--mode`.
    pub mode: &'static str,
    /// The compiler.
    pub compiler: &'static str,
}

/// What standard input is.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// `/dev/null`.
    Nothing,
    /// A pipe with these bytes in it.
    Bytes(&'static [u8]),
    /// Standard input, output and error are one pseudo-terminal of 24 lines, and somebody types.
    Terminal(&'static [Keys]),
}

/// What somebody at the terminal does next.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Waits until this has appeared on the screen since the last keys.
    pub after: &'static str,
    /// Types this.
    pub typed: &'static str,
}

/// How the output of a recorded run relates to that of an unrecorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The same bytes in every run: recording must not be visible to the program.
    Steady,
    /// Different in every run: what is replayed came out of the trace and nowhere else.
    Varies,
    /// Sometimes one, sometimes the other.
    Either,
}

/// How a command must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// With this exit status.
    Exit(i32),
    /// Killed by this signal.
    Signal(i32),
    /// The recorder refuses to run it, and its message has these words in it.
    Refused(&'static str),
}

/// An unrecorded program that runs at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Partner {
    /// Text for `bash -c`, run in the command's directory.
    pub script: &'static str,
    /// The one that starts first must print something when the other may start.
    pub starts_first: bool,
}

fn case(name: String, command: Command) -> Case {
    Case {
        name,
        command,
        prepare: |_| Ok(()),
        input: Input::Nothing,
        output: Output::Either,
        end: Expected::Exit(0),
        needs: Vec::new(),
        partner: None,
        hunted: None,
        in_parallel: false,
    }
}

/// A program of ours, named by its path below `examples/programs`.
pub fn own(source: &'static str) -> Case {
    let (name, _) = source.rsplit_once('.').unwrap_or((source, ""));
    case(name.to_owned(), Command::Own { source, compiler_flags: "", arguments: "", rebuilt: None })
}

/// A binary of this package, and its arguments, separated by spaces.
pub fn built(binary: &'static str, arguments: &'static str) -> Case {
    case(format!("{binary} {arguments}"), Command::Built { binary, arguments })
}

/// An installed program: the Debian package that has it, and the command in words separated by spaces.
pub fn debian(package: &'static str, words: &'static str) -> Case {
    let program = words.split(' ').next().unwrap_or(words);
    case(words.to_owned(), Command::Words(words)).needs(program, package)
}

/// A bash script.
pub fn script(name: &'static str, text: &'static str) -> Case {
    case(name.to_owned(), Command::Script(text)).needs("bash", "bash")
}

impl Case {
    /// Replaces the name that was derived from the command.
    pub fn named(mut self, name: &str) -> Case {
        self.name = name.to_owned();
        self
    }

    /// Arguments of an own program; they become part of the name.
    pub fn with(mut self, words: &'static str) -> Case {
        if let Command::Own { arguments, .. } = &mut self.command {
            *arguments = words;
            self.name = format!("{} {words}", self.name);
        }
        self
    }

    /// Compiler flags of an own program; they become part of the name.
    pub fn compiled(mut self, flags: &'static str) -> Case {
        if let Command::Own { compiler_flags, .. } = &mut self.command {
            *compiler_flags = flags;
            self.name = format!("{} {flags}", self.name);
        }
        self
    }

    /// An own program is compiled by `imitate cc`, in this mode and by this compiler.
    pub fn rebuilt(mut self, mode: &'static str, compiler: &'static str) -> Case {
        if let Command::Own { rebuilt, .. } = &mut self.command {
            *rebuilt = Some(Rebuilt { mode, compiler });
            self.name = format!("{} rebuilt for {mode} by {compiler}", self.name);
        }
        self
    }

    /// Its output is the same in every run, recorded or not.
    pub fn steady(mut self) -> Case {
        self.output = Output::Steady;
        self
    }

    /// Its output is different in every run.
    pub fn varies(mut self) -> Case {
        self.output = Output::Varies;
        self
    }

    /// How the inputs are made.
    pub fn prepared(mut self, prepare: fn(&Path) -> std::io::Result<()>) -> Case {
        self.prepare = prepare;
        self
    }

    /// What it reads from standard input.
    pub fn reading(mut self, bytes: &'static [u8]) -> Case {
        self.input = Input::Bytes(bytes);
        self
    }

    /// What is typed on its terminal.
    pub fn typing(mut self, keys: &'static [Keys]) -> Case {
        self.input = Input::Terminal(keys);
        self
    }

    /// The exit status that it ends with, if it is not 0.
    pub fn exits(mut self, status: i32) -> Case {
        self.end = Expected::Exit(status);
        self
    }

    /// The signal that kills it.
    pub fn killed(mut self, signal: i32) -> Case {
        self.end = Expected::Signal(signal);
        self
    }

    /// The recorder refuses it in these words.
    pub fn refused(mut self, words: &'static str) -> Case {
        self.end = Expected::Refused(words);
        self
    }

    /// Recorded with chaos until `shows` is true of what it prints.
    pub fn hunted(mut self, shows: fn(&str) -> bool) -> Case {
        self.hunted = Some(shows);
        self.name = format!("{} under chaos", self.name);
        self
    }

    /// Recorded with `--order sync`: its threads run in parallel, in replay too.
    pub fn in_parallel(mut self) -> Case {
        self.in_parallel = true;
        self.name = format!("{} in parallel", self.name);
        self
    }

    /// A further command that must be installed, and its Debian package.
    pub fn needs(mut self, command: &'static str, package: &'static str) -> Case {
        self.needs.push((command, package));
        self
    }

    /// A script that runs beside, started when the recorded command has printed something.
    pub fn beside(mut self, script: &'static str) -> Case {
        self.partner = Some(Partner { script, starts_first: false });
        self
    }

    /// A script that runs beside; the recorded command starts when the script has printed something.
    pub fn after(mut self, script: &'static str) -> Case {
        self.partner = Some(Partner { script, starts_first: true });
        self
    }
}
