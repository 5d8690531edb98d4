//! Programs of one thread, and trees of processes: everyday ones, the ancestor's, and shapes of the paper about rr.

use super::Command::{Fed, Installed};
use super::Target::{Milliseconds, Ratio};
use super::inputs::{self, many_files, project, write};
use super::{TraceTarget, Workload};
use examples::inputs as examples;
use std::fs;

const PYTHON: (&str, &str) = ("/usr/bin/python3", "python3");
const PROCESSES: &str = "for i in {1..100}; do echo $i | cat; /bin/true; done\n";

pub fn rows() -> Vec<Workload> {
    let mut rows = vec![
        Workload::new("date", Installed("date")).within(Milliseconds(6.0)).quick(),
        Workload::new("gzip -6, 100 MB", Installed("gzip -6 -k -f text"))
            .prepared(|directory| write(directory, "text", 100 << 20))
            .within(Ratio(1.03)),
        Workload::new("sha256sum, 1 GB", Installed("sha256sum large"))
            .prepared(|directory| write(directory, "large", 1 << 30))
            .within(Ratio(1.10))
            .trace_within(TraceTarget::Bytes(1 << 20)),
    ];
    // The ancestor's, at its block sizes.
    rows.extend(
        [
            ("dd bs=128 count=200k", "dd if=/dev/urandom of=copy bs=128 count=200k status=none", None),
            ("dd bs=512 count=200k", "dd if=/dev/urandom of=copy bs=512 count=200k status=none", Some(1.35)),
            ("dd bs=4K, 100 MB", "dd if=/dev/urandom of=copy bs=4K count=25600 status=none", None),
            ("dd bs=64K, 100 MB", "dd if=/dev/urandom of=copy bs=64K count=1600 status=none", Some(1.2)),
        ]
        .map(|(name, words, target)| {
            let row = Workload::new(name, Installed(words));
            target.map_or(row.clone(), |target| row.within(Ratio(target)))
        }),
    );
    rows.extend([
        Workload::new("gcc -O2 -c, 2000 lines", Installed("gcc -O2 -c generated.c"))
            .prepared(examples::generated_code)
            .needs("gcc", "gcc")
            .within(Ratio(1.15)),
        Workload::new("cp -r, 2000 files", Installed("cp -r many copies")).prepared(many_files).quick(),
        Workload::new("make, 30 C files", Installed("make -B"))
            .prepared(project)
            .needs("make", "make")
            .within(Ratio(1.4)),
        Workload::new("make -j2, 30 C files", Installed("make -B -j2"))
            .prepared(project)
            .needs("make", "make")
            .quick(),
        Workload::new("node, a script", Installed("node script.js"))
            .prepared(|directory| inputs::program(directory, "script.js"))
            .needs("node", "nodejs"),
        Workload::new("ls -lR /usr", Installed("ls -lR /usr"))
            .trace_within(TraceTarget::PercentOfReturned(15.0)),
        Workload::new("bash, 200 small processes", Installed("bash processes.sh"))
            .prepared(|directory| fs::write(directory.join("processes.sh"), PROCESSES))
            .within(Ratio(3.0))
            .quick(),
        Workload::new("bash pipeline", Installed("bash everyday.sh")).prepared(examples::scripts).quick(),
        Workload::new("python3 script", Installed("/usr/bin/python3 everyday.py"))
            .prepared(examples::scripts)
            .needs(PYTHON.0, PYTHON.1)
            .quick(),
        Workload::new("sort, a million lines", Fed("sort -n --parallel=1", "lines"))
            .prepared(examples::lines),
    ]);
    rows
}
