//! Shows one program as it is, recorded and replayed; without a name, prints the list of all.

use anyhow::{Context, Result};
use examples::settings::Settings;
use examples::{index, proof, sources};
use std::process::ExitCode;

fn run() -> Result<()> {
    let Some(name) = std::env::args().nth(1) else {
        print!("{}", index::text()?);
        return Ok(());
    };
    let cases = sources::table();
    let case = cases
        .iter()
        .find(|case| case.name == name)
        .with_context(|| format!("there is no program {name}: examples/README.md lists all"))?;
    for (how, outcome) in proof::show(case, &Settings::from_environment()?)? {
        println!("-- {how} ({})", outcome.end);
        print!("{}{}", String::from_utf8_lossy(&outcome.stdout), String::from_utf8_lossy(&outcome.stderr));
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("try: {error:#}");
            ExitCode::FAILURE
        }
    }
}
