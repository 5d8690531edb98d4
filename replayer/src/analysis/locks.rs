//! `imitate locks`: which locks were taken and waited for, how often, for how long, by whom and where.

use super::recording::Recording;
use super::table::{count, table, time};
use super::watched::{Hold, LockId, Observer, Past, Sort, Space, Taking, Told, run, tell};
use crate::arguments::{Locks, LocksBy};
use crate::manage::locate;
use crate::pager;
use anyhow::{Context, Result};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;
use tracer_core::session::watch::what;
use tracer_core::trace::reader::Body;

/// Sums over what was done to a lock, or at a place. Times are in nanoseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sums {
    /// How often it was taken, or came.
    pub taken: u64,
    /// How often it was waited for.
    pub waited: u64,
    /// How often it could not be had.
    pub refused: u64,
    pub wait_ns: u64,
    pub longest_wait_ns: u64,
    pub hold_ns: u64,
    pub longest_hold_ns: u64,
    /// Streams of those that took or wanted it.
    pub threads: BTreeSet<u32>,
}

impl Sums {
    fn wait(&mut self, nanoseconds: u64) {
        self.waited += 1;
        self.wait_ns = self.wait_ns.saturating_add(nanoseconds);
        self.longest_wait_ns = self.longest_wait_ns.max(nanoseconds);
    }

    fn hold(&mut self, nanoseconds: u64) {
        self.hold_ns = self.hold_ns.saturating_add(nanoseconds);
        self.longest_hold_ns = self.longest_hold_ns.max(nanoseconds);
    }
}

/// An object, however often it was initialised.
type Object = (Space, u64, Sort);

#[derive(Default)]
struct Counts {
    objects: BTreeMap<Object, Sums>,
    /// By where they were called.
    sites: BTreeMap<(Space, u64, Sort), Sums>,
    /// Of locks that are held.
    sorts: HashMap<LockId, Sort>,
    /// In sync order, times that threads slept in the recording, in nanoseconds, by stream and number of the operation.
    slept: Option<HashMap<(u32, u64), u64>>,
}

impl Counts {
    fn both(&mut self, taking: &Taking, change: impl Fn(&mut Sums)) {
        let Taking { object: LockId { space, address, .. }, sort, caller, stream, .. } = *taking;
        for sums in [
            self.objects.entry((space, address, sort)).or_default(),
            self.sites.entry((space, caller, sort)).or_default(),
        ] {
            sums.threads.insert(stream);
            change(sums);
        }
    }

    /// For how long was waited, if it was.
    fn wait(&self, taking: &Taking, now: u64) -> Option<u64> {
        match &self.slept {
            Some(recorded) => recorded.get(&(taking.stream, taking.operation?)).copied(),
            None => taking.slept.then(|| now.saturating_sub(taking.began)),
        }
    }
}

impl Observer for Counts {
    fn taken(&mut self, taking: &Taking, now: u64, _: &[Hold], _: &Past) {
        let wait = self.wait(taking, now);
        self.both(taking, |sums| {
            sums.taken += 1;
            if let Some(wait) = wait {
                sums.wait(wait);
            }
        });
        if taking.sort.is_lock() {
            self.sorts.insert(taking.object, taking.sort);
        }
    }

    fn refused(&mut self, taking: &Taking, now: u64) {
        let wait = self.wait(taking, now);
        self.both(taking, |sums| {
            sums.refused += 1;
            if let Some(wait) = wait {
                sums.wait(wait);
            }
        });
    }

    fn released(&mut self, _: u32, hold: &Hold, now: u64) {
        let Some(&sort) = self.sorts.get(&hold.lock) else { return };
        let LockId { space, address, .. } = hold.lock;
        let held = now.saturating_sub(hold.since);
        self.objects.entry((space, address, sort)).or_default().hold(held);
        self.sites.entry((space, hold.caller, sort)).or_default().hold(held);
    }
}

/// What is known of a trace's locks.
#[derive(Serialize)]
pub struct Report {
    /// How threads were ordered in the recording.
    order: String,
    /// By lock, those that were waited for longest first.
    pub objects: Vec<Row>,
    /// By where they were taken, likewise.
    pub sites: Vec<Row>,
}

/// Of a lock, or a place where locks are taken.
#[derive(Serialize)]
pub struct Row {
    /// Process id.
    pub process: u32,
    /// What sort of lock.
    pub sort: Sort,
    /// The address, of an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// A variable's name, or where the program is.
    pub name: String,
    #[serde(flatten)]
    pub sums: Sums,
}

/// Prints what is known of a trace's locks.
pub fn locks(options: &Locks) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let report = of(&directory)?;
    pager::begin();
    let mut out = anstream::stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report).context("cannot write JSON")?)?;
    } else {
        print(&report, options, &mut out)?;
    }
    Ok(())
}

/// What a replay of a trace tells of its locks.
pub fn of(directory: &Path) -> Result<Report> {
    let told = tell(directory)?;
    let sync = told.recording.manifest.order == "sync";
    let slept = if sync { Some(recorded_sleeps(&told.recording)?) } else { None };
    let mut counts = Counts { slept, ..Counts::default() };
    run(&told.watched.records, sync, &|stream| told.family.leader(stream), &mut counts);
    Ok(report(&told, counts))
}

/// What a recording in sync order knows of sleeps.
fn recorded_sleeps(recording: &Recording) -> Result<HashMap<(u32, u64), u64>> {
    let mut sleeps = HashMap::new();
    for stream in recording.streams() {
        for event in recording.events(stream).into_iter().flatten() {
            if let Body::Operation { passes, slept: slept @ 1.., .. } = event?.body {
                sleeps.insert((stream, passes), u64::from(slept) * 1000);
            }
        }
    }
    Ok(sleeps)
}

fn report(told: &Told, counts: Counts) -> Report {
    let process = |space: Space| told.family.members.get(&space.0).map_or(0, |member| member.process);
    // A thread that is joined is known by a word of its own.
    let created = told.watched.records.iter().filter(|record| record.what == what::CREATES);
    let created: HashMap<u64, u32> = created.map(|record| (record.object, record.kind)).collect();
    let thread = |address: &u64| told.family.members.get(created.get(address)?);
    let objects = counts.objects.into_iter().map(|((space, address, sort), sums)| Row {
        process: process(space),
        sort,
        address: Some(address),
        name: match thread(&address).filter(|_| sort == Sort::Thread) {
            Some(member) => format!("{} ({})", member.thread, member.short_name()),
            None => told.images.variable(space, address),
        },
        sums,
    });
    let mut sites = BTreeMap::<(Space, String, Sort), Sums>::new();
    for ((space, caller, sort), sums) in counts.sites {
        // A function that was inlined may have several addresses for a line.
        let all = sites.entry((space, told.images.call_site(space, caller), sort)).or_default();
        all.taken += sums.taken;
        all.waited += sums.waited;
        all.refused += sums.refused;
        all.wait_ns = all.wait_ns.saturating_add(sums.wait_ns);
        all.longest_wait_ns = all.longest_wait_ns.max(sums.longest_wait_ns);
        all.hold_ns = all.hold_ns.saturating_add(sums.hold_ns);
        all.longest_hold_ns = all.longest_hold_ns.max(sums.longest_hold_ns);
        all.threads.extend(sums.threads);
    }
    let sites = sites.into_iter().map(|((space, name, sort), sums)| Row {
        process: process(space),
        sort,
        address: None,
        name,
        sums,
    });
    let order = told.recording.manifest.order.clone();
    let mut report = Report { order, objects: objects.collect(), sites: sites.collect() };
    for rows in [&mut report.objects, &mut report.sites] {
        rows.sort_by_key(|row| Reverse((row.sums.wait_ns, row.sums.waited, row.sums.taken)));
    }
    report
}

fn print(report: &Report, options: &Locks, out: &mut impl Write) -> Result<()> {
    let (title, rows) = match options.by {
        LocksBy::Object => ("OBJECT", &report.objects),
        LocksBy::Site => ("SITE", &report.sites),
    };
    let columns = [
        title, "<SORT", "PROCESS", "THREADS", "TAKEN", "WAITED", "REFUSED", "WAIT", "LONGEST", "HELD",
        "LONGEST",
    ];
    let mut table = table(&columns);
    for row in rows.iter().take(options.top.unwrap_or(usize::MAX)) {
        let sums = &row.sums;
        let times = [sums.wait_ns, sums.longest_wait_ns, sums.hold_ns, sums.longest_hold_ns];
        let time = |nanoseconds| if nanoseconds == 0 { String::new() } else { time(nanoseconds) };
        let mut cells = vec![row.name.clone(), row.sort.name().to_owned(), row.process.to_string()];
        cells.extend([sums.threads.len() as u64, sums.taken, sums.waited, sums.refused].map(count));
        cells.extend(times.map(time));
        table.add_row(cells);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(())
}
