//! Hands a table of cases to the test runner, one named test a row.

use crate::case::Case;
use crate::load::Load;
use crate::proof::prove;
use crate::settings::Settings;
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// Runs the tests that the command line selects (as for any Rust test: a filter, `--exact`, `--list`...).
pub fn run(cases: Vec<Case>) -> ExitCode {
    let arguments = Arguments::from_args();
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(error) if !arguments.list => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
        Err(_) => return libtest_mimic::run(&arguments, trials(cases, |_| Ok(()))).exit_code(),
    };
    let load = settings.under_load.then(Load::start).transpose();
    let load = match load {
        Ok(load) => load,
        Err(error) => {
            eprintln!("cannot start the busy loops that IMITATE_TEST_LOAD asks for: {error}");
            return ExitCode::FAILURE;
        }
    };
    let conclusion = libtest_mimic::run(
        &arguments,
        trials(cases, move |case| prove(case, &settings).map_err(|error| in_lines(&error).into())),
    );
    drop(load);
    conclusion.exit_code()
}

/// The error and what it came from, one a line.
fn in_lines(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<String>>().join("\n")
}

fn trials(
    cases: Vec<Case>,
    test: impl Fn(&Case) -> Result<(), Failed> + Clone + Send + 'static,
) -> Vec<Trial> {
    cases
        .into_iter()
        .map(|case| {
            let test = test.clone();
            Trial::test(case.name.clone(), move || test(&case))
        })
        .collect()
}
