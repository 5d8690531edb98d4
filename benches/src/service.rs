//! What the client of a server says of how it was served.

use crate::statistics::Summary;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Of one run: the last line of the client's output, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Sample {
    requests_per_second: f64,
    p50_microseconds: f64,
    p99_microseconds: f64,
}

/// Of all runs.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Service {
    /// Answers a second.
    pub requests_per_second: Summary,
    /// Half of the answers came within this.
    pub p50_microseconds: Summary,
    /// Ninety-nine of a hundred came within this.
    pub p99_microseconds: Summary,
}

impl Sample {
    /// Reads what a client wrote.
    pub fn from_output(output: &str) -> Result<Sample> {
        let line = output.lines().rev().find(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("the client printed no figures: {output:?}"))?;
        serde_json::from_str(line).with_context(|| format!("the client printed {line}"))
    }
}

impl Service {
    /// Summarises them; `None` for none.
    pub fn of(samples: &[Sample]) -> Option<Service> {
        let summary =
            |field: fn(&Sample) -> f64| Summary::of(&samples.iter().map(field).collect::<Vec<f64>>());
        Some(Service {
            requests_per_second: summary(|sample| sample.requests_per_second)?,
            p50_microseconds: summary(|sample| sample.p50_microseconds)?,
            p99_microseconds: summary(|sample| sample.p99_microseconds)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn figures_are_on_the_last_line_that_is_json() {
        let line = r#"{"requests_per_second": 10.5, "p50_microseconds": 2, "p99_microseconds": 3}"#;
        let sample = Sample::from_output(&format!("{{}}\n{line}\nOK\n")).unwrap();
        assert_eq!(
            sample,
            Sample { requests_per_second: 10.5, p50_microseconds: 2.0, p99_microseconds: 3.0 }
        );
        assert!(Sample::from_output("nothing\n").is_err());
    }
}
