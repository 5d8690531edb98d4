//! Small operations, repeated: what recording adds to each.

use super::Target::{NanosecondsEach, Ratio};
use super::{Command, Workload};

/// A sort of `micro.c`, recorded in both orders.
fn sort(name: &str, sort: &str, operations: u32) -> Workload {
    Workload::new(name, Command::Own("micro.c", "", sort.into())).operations(operations).and_sync()
}

pub fn rows() -> Vec<Workload> {
    vec![
        Workload::own("clock_gettime", "clock_loop.c")
            .operations(2_000_000)
            .within(NanosecondsEach(25.0))
            .and_sync()
            .quick(),
        Workload::own("getppid", "call_loop.c")
            .operations(2_000_000)
            .within(NanosecondsEach(80.0))
            .and_sync()
            .quick(),
        sort("read, 1 B", "read-byte", 1_000_000).quick(),
        sort("read, 16 KiB", "read-block", 40_000),
        sort("pread, 64 B", "read-at", 1_000_000),
        sort("lock and unlock", "lock", 20_000_000).within(NanosecondsEach(6.0)).quick(),
        sort("thread create and join", "thread", 10_000).quick(),
        sort("malloc and free", "allocate", 20_000_000),
        sort("atomic add", "atomic", 40_000_000),
        sort("fork, exec and wait", "execute", 300),
        sort("mmap and munmap", "map", 100_000),
        sort("page fault", "fault", 400_000),
        sort("signal round trip", "signals", 100_000).quick(),
        Workload::own("4 threads, 200k locks each", "locks.c")
            .within(Ratio(2.5))
            .of_one_processor(1.3)
            .and_sync(),
        Workload::own("2 threads, a lock each", "own_locks.c")
            .in_sync()
            .operations(20_000_000)
            .within(NanosecondsEach(6.0))
            .quick(),
        Workload::own("2 threads, one lock", "shared_lock.c").in_sync().within(Ratio(1.3)),
        Workload::own("2 threads, condition variables", "ping_pong.c").in_sync().within(Ratio(1.2)),
    ]
}
