//! Runs a workload natively, and recorded and replayed in each of its orders, in turn.

use crate::place::{Place, Run};
use crate::service::Service;
use crate::statistics::Summary;
use crate::workload::{Aim, Target, TraceTarget, Workload};
use anyhow::{Context, Result, ensure};
use examples::recorder::Recorder;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process;
use tracer_core::session::Order;

/// The figures of one workload.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    /// The workload's name.
    pub name: String,
    /// How often it was run in each way, beside one run that is not counted.
    pub rounds: usize,
    /// Without a recorder.
    pub native: Runs,
    /// In each order.
    pub orders: Vec<Ordered>,
}

/// Runs of the same kind.
#[derive(Serialize, Deserialize)]
pub struct Runs {
    /// How long they took.
    pub seconds: Summary,
    /// In ratio to the native run of the same round.
    pub ratio: Summary,
    /// The most bytes that one process was resident with: the median of the runs.
    pub peak_bytes: u64,
    /// What a server's clients said.
    pub service: Option<Service>,
}

/// The figures of one workload in one order.
#[derive(Serialize, Deserialize)]
pub struct Ordered {
    /// The order.
    pub order: String,
    /// The recorded runs.
    pub recorded: Runs,
    /// The replays of these.
    pub replayed: Runs,
    /// What recording cost in the unit of its target.
    pub cost: Option<Cost>,
    /// Recorded to native on one processor, if that was measured.
    pub one_processor: Option<Cost>,
    /// Size of the trace directory in bytes.
    pub trace_bytes: u64,
    /// Bytes that system calls gave to the program.
    pub returned_bytes: u64,
    /// Events in the trace.
    pub events: u64,
    /// The most that `trace_bytes` should be.
    pub trace_limit_bytes: Option<u64>,
}

/// What recording costs more than native, and should at most.
#[derive(Serialize, Deserialize)]
pub struct Cost {
    /// "times", "ms" or "ns each".
    pub unit: String,
    /// Measured.
    pub measured: Summary,
    /// Hoped for, if there is a target.
    pub limit: Option<f64>,
}

/// A run that is shorter than this is repeated [`MORE_ROUNDS`] times as often: its figures scatter more.
const SHORT_SECONDS: f64 = 0.1;
const MORE_ROUNDS: usize = 6;
/// A run that is longer than this is repeated [`FEW_ROUNDS`] times at most.
const LONG_SECONDS: f64 = 2.0;
const FEW_ROUNDS: usize = 3;

/// How often each workload is run.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// In each way, if it takes neither a moment nor seconds.
    pub usual: usize,
    /// A short one is repeated no more often.
    pub few: bool,
}

impl Rounds {
    fn of(self, seconds: f64) -> usize {
        match seconds {
            _ if seconds > LONG_SECONDS => self.usual.min(FEW_ROUNDS),
            _ if seconds < SHORT_SECONDS && !self.few => self.usual * MORE_ROUNDS,
            _ => self.usual,
        }
    }
}

/// What is gathered of one order while the rounds go on.
#[derive(Default)]
struct Gathered {
    recorded: Vec<Run>,
    replayed: Vec<Run>,
    trace_bytes: u64,
    returned_bytes: u64,
    events: u64,
}

/// Measures `workload`, after one native run that only warms the caches.
pub fn measure(workload: &Workload, recorder: &Recorder, rounds: Rounds) -> Result<Measured> {
    let place = Place::new(workload)?;
    let trace = place.trace();
    let replay = recorder.replay(&trace);
    let one_processor: Vec<OsString> = ["taskset", "-c", "0"].map(OsString::from).into();
    let one_processor = [one_processor, place.words.clone()].concat();
    let warming = place.run(&place.words).context("natively")?;
    let rounds = rounds.of(warming.seconds);
    let (mut native, mut alone) = (Vec::new(), Vec::new());
    let mut orders: Vec<Gathered> = workload.orders.iter().map(|_| Gathered::default()).collect();
    for round in 0..rounds {
        native.push(place.run(&place.words).context("natively")?);
        if workload.one_processor_target.is_some() {
            alone.push(place.run(&one_processor).context("on one processor")?);
        }
        for (aim, gathered) in workload.orders.iter().zip(&mut orders) {
            let record = recorder.record(&place.words, &trace, None, aim.order == Order::Sync);
            let name = aim.order.name();
            gathered.recorded.push(place.run(&record).with_context(|| format!("recorded, {name}"))?);
            let replayed = place.run_alone(&replay);
            gathered.replayed.push(replayed.with_context(|| format!("replayed, {name}"))?);
            if round == 0 {
                gathered.trace_bytes = size(&trace)?;
                (gathered.events, gathered.returned_bytes) = counts(recorder, &trace)?;
            }
            place.remove_trace()?;
        }
    }
    let orders = workload.orders.iter().zip(orders).map(|(aim, gathered)| {
        let serial = aim.order == Order::Serial;
        let limit = workload.one_processor_target.filter(|_| serial);
        let one_processor =
            limit.and_then(|limit| cost(Target::Ratio(limit), workload, &alone, &gathered.recorded));
        ordered(workload, aim, gathered, &native, one_processor)
    });
    let orders = orders.collect::<Option<Vec<Ordered>>>().context("nothing was measured")?;
    let native = runs(&native, &native).context("nothing was measured")?;
    Ok(Measured { name: workload.name.clone(), rounds, native, orders })
}

fn ordered(
    workload: &Workload,
    aim: &Aim,
    gathered: Gathered,
    native: &[Run],
    one_processor: Option<Cost>,
) -> Option<Ordered> {
    let each = workload.operations.map(|_| Target::NanosecondsEach(f64::INFINITY));
    let returned = gathered.returned_bytes;
    Some(Ordered {
        order: aim.order.name().into(),
        cost: aim.target.or(each).and_then(|target| cost(target, workload, native, &gathered.recorded)),
        one_processor,
        recorded: runs(&gathered.recorded, native)?,
        replayed: runs(&gathered.replayed, native)?,
        trace_bytes: gathered.trace_bytes,
        returned_bytes: returned,
        events: gathered.events,
        trace_limit_bytes: workload.trace_target.map(|target| match target {
            TraceTarget::Bytes(bytes) => bytes,
            TraceTarget::PercentOfReturned(percent) => (returned as f64 * percent / 100.0) as u64,
        }),
    })
}

fn seconds(runs: &[Run]) -> Vec<f64> {
    runs.iter().map(|run| run.seconds).collect()
}

fn runs(runs: &[Run], native: &[Run]) -> Option<Runs> {
    let peaks: Vec<f64> = runs.iter().map(|run| run.peak_bytes as f64).collect();
    let samples: Vec<_> = runs.iter().filter_map(|run| run.service).collect();
    Some(Runs {
        seconds: Summary::of(&seconds(runs))?,
        ratio: Summary::of_pairs(&seconds(runs), &seconds(native), |run, native| run / native)?,
        peak_bytes: Summary::of(&peaks)?.median as u64,
        service: Service::of(&samples),
    })
}

/// A limit that is infinite is none: only the unit is wanted.
fn cost(target: Target, workload: &Workload, native: &[Run], recorded: &[Run]) -> Option<Cost> {
    let operations = workload.operations.map_or(1.0, f64::from);
    let of_pairs = |function: &dyn Fn(f64, f64) -> f64| {
        Summary::of_pairs(&seconds(recorded), &seconds(native), function)
    };
    let (unit, limit, measured) = match target {
        Target::Ratio(limit) => ("times", limit, of_pairs(&|recorded, native| recorded / native)),
        Target::Milliseconds(limit) => ("ms", limit, of_pairs(&|recorded, native| (recorded - native) * 1e3)),
        Target::NanosecondsEach(limit) => {
            ("ns each", limit, of_pairs(&|recorded, native| (recorded - native) * 1e9 / operations))
        }
    };
    Some(Cost {
        unit: unit.into(),
        measured: measured?,
        limit: Some(limit).filter(|limit| limit.is_finite()),
    })
}

/// Bytes of all files below `directory`.
pub fn size(directory: &Path) -> Result<u64> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read the trace {}", directory.display()))?;
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// The events in a trace, and the bytes that the recorded system calls gave to the program.
pub fn counts(recorder: &Recorder, trace: &Path) -> Result<(u64, u64)> {
    let output = process::Command::new(&recorder.tool)
        .args(["stats", "--json"])
        .arg(trace)
        .output()
        .context("cannot run imitate stats")?;
    ensure!(
        output.status.success(),
        "imitate stats --json {}: {}\n{}",
        trace.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let stats: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("imitate stats --json prints no JSON")?;
    let number = |name: &str| {
        stats["total"][name].as_u64().with_context(|| format!("imitate stats --json has no total.{name}"))
    };
    Ok((number("count")?, number("returned_bytes")?))
}
