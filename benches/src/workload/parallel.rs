//! Programs that keep two processors busy.

use super::Command::{Builtin, Installed, Own};
use super::Target::Ratio;
use super::inputs::{film, write};
use super::{Command, Workload};
use std::fs;

const PYTHON: (&str, &str) = ("/usr/bin/python3", "python3");
const SUMS: &str = "import threading
sums = {}
def add(me):
    sums[me] = sum(i * i % 7 for i in range(4_000_000))
threads = [threading.Thread(target=add, args=(me,)) for me in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sums)
";
// hashlib lets other threads run while it hashes.
const POOL: &str = "import hashlib
from concurrent.futures import ThreadPoolExecutor
data = bytes(range(256)) * 4096
def work(number):
    return hashlib.sha256(data + bytes([number])).hexdigest()
with ThreadPoolExecutor(2) as pool:
    print(len(set(pool.map(work, range(200)))))
";

pub fn rows() -> Vec<Workload> {
    const FFMPEG: Command =
        Installed("ffmpeg -v error -threads 2 -i film.mp4 -threads 2 -c:v mpeg4 -f framemd5 -bitexact -");
    vec![
        Workload::new("pbzip2 -p2, 20 MB", Installed("pbzip2 -p2 -k -f text"))
            .prepared(|directory| write(directory, "text", 20 << 20))
            .needs("pbzip2", "pbzip2")
            .within(Ratio(2.1))
            .of_one_processor(1.05)
            .and_sync()
            .within(Ratio(1.05))
            .quick(),
        Workload::new("xz -T2, 8 MB", Installed("xz -T2 -2 --block-size=1MiB -k -f text"))
            .prepared(|directory| write(directory, "text", 8 << 20))
            .needs("xz", "xz-utils")
            .beside_one_processor()
            .and_sync(),
        Workload::new("ffmpeg, 2 threads", FFMPEG)
            .prepared(film)
            .needs("ffmpeg", "ffmpeg")
            .beside_one_processor(),
        // What orders the threads of these are atomic operations and futexes, which serial order covers.
        Workload::new("OpenMP, 2 threads", Own("openmp.c", "-fopenmp -O2", String::new()))
            .beside_one_processor(),
        Workload::new("rayon, 2 threads", Builtin("rayon")).beside_one_processor(),
        Workload::new("Rust's threads and channels", Builtin("threads")).beside_one_processor(),
        Workload::new("python3, two threads that sum", Installed("/usr/bin/python3 sums.py"))
            .prepared(|directory| fs::write(directory.join("sums.py"), SUMS))
            .needs(PYTHON.0, PYTHON.1)
            .within(Ratio(1.15)),
        Workload::new("python3, a pool of two that hashes", Installed("/usr/bin/python3 pool.py"))
            .prepared(|directory| fs::write(directory.join("pool.py"), POOL))
            .needs(PYTHON.0, PYTHON.1)
            .beside_one_processor(),
    ]
}
