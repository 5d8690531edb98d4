//! Databases.

use super::Command::{Fed, Installed, Own};
use super::Target::Ratio;
use super::Workload;
use super::inputs::{inserts, program};
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

pub fn rows() -> Vec<Workload> {
    const SQLITE: (&str, &str) = ("sqlite3", "sqlite3");
    vec![
        Workload::new("sqlite3, 100k inserts in one transaction", Fed("sqlite3 database", "transaction.sql"))
            .prepared(|directory| inserts(directory, "transaction.sql", "begin;", "commit;"))
            .needs(SQLITE.0, SQLITE.1)
            .within(Ratio(1.15))
            .quick(),
        // A transaction each; without the journal, or it would measure the disk.
        Workload::new("sqlite3, 100k transactions", Fed("sqlite3 database", "autocommit.sql"))
            .prepared(|directory| {
                inserts(directory, "autocommit.sql", "pragma journal_mode=off; pragma synchronous=off;", "")
            })
            .needs(SQLITE.0, SQLITE.1),
        Workload::new(
            "LevelDB, 50k puts, gets and a scan",
            Own("leveldb.c", "-Wl,--no-as-needed -lleveldb", String::new()),
        )
        .needs("/usr/include/leveldb/c.h", "libleveldb-dev"),
        Workload::new(
            "RocksDB, 50k puts and gets",
            Installed("db_bench --benchmarks=fillrandom,readrandom --num=50000 --db=rocksdb"),
        )
        .needs("db_bench", "rocksdb-tools"),
        Workload::new("PostgreSQL, 100k inserts and updates", Installed("bash postgres.sh"))
            .prepared(postgres)
            .needs("pg_ctlcluster", "postgresql"),
    ]
}

/// The script, and a database that it has made.
fn postgres(directory: &Path) -> Result<()> {
    const SCRIPT: &str = "postgres.sh";
    program(directory, SCRIPT)?;
    let mut making = Command::new("bash");
    let status =
        making.arg(SCRIPT).current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(Error::other(format!("initdb, by {SCRIPT}: {status}"))) }
}
