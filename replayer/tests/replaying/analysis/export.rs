//! `export`.

mod document;
mod sql;

use super::{ask, record_program, record_script, rows};
use crate::{Place, imitate, text};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use parquet::record::{Field, Row};
use serde_json::Value;

/// Two threads, and a child that crashes.
pub const SCRIPT: &str = "
import os, threading, time
def work():
    for _ in range(20):
        os.write(made, b'x' * 100)
        os.sched_yield()
made = os.open('made', os.O_CREAT | os.O_WRONLY)
thread = threading.Thread(target=work)
thread.start()
work()
thread.join()
if os.fork() == 0:
    os.abort()
os.wait()
# For longer than a tick of the clock.
time.sleep(0.02)
";

/// The rows of a table.
fn table(place: &Place, table: &str) -> Vec<Row> {
    let path = place.path("tables").join(table).join("mine.parquet");
    let file = std::fs::File::open(path).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

fn column(row: &Row, name: &str) -> Field {
    row.get_column_iter().find(|(column, _)| *column == name).unwrap().1.clone()
}

#[test]
fn the_tables_have_what_the_trace_has() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let target = place.path("tables");
    ask(&place, &["export", "--name", "mine", "--parquet", target.to_str().unwrap()]);
    let dump = rows(&place, &["dump", "--json"]);
    // Members are in the order of their names, as a `Value` has them.
    let printed = ask(&place, &["dump", "--json"]).0;
    assert_eq!(printed, dump.iter().map(|event| format!("{event}\n")).collect::<String>());
    let traces = table(&place, "traces");
    assert_eq!(traces.len(), 1);
    assert_eq!(column(&traces[0], "schema_version"), Field::UInt(2));
    assert_eq!(column(&traces[0], "events"), Field::ULong(dump.len() as u64));
    let streams = table(&place, "streams");
    let signals: Vec<Field> = streams.iter().map(|stream| column(stream, "signal")).collect();
    assert_eq!(signals, [Field::Null, Field::Null, Field::Str("SIGABRT".into())]);
    assert_eq!(column(&streams[0], "exit_status"), Field::Int(0));
    // Every event once, with its name, in an order that is the same in all tables.
    let events = table(&place, "events");
    let mut places: Vec<(u64, u64)> =
        events.iter().map(|row| (row.get_uint(1).unwrap().into(), row.get_ulong(2).unwrap())).collect();
    places.sort_unstable();
    let number = |event: &Value, name: &str| event[name].as_u64().unwrap();
    let expected: Vec<_> =
        dump.iter().map(|event| (number(event, "stream"), number(event, "event"))).collect();
    assert_eq!(places, expected);
    assert!(events.iter().enumerate().all(|(at, row)| row.get_ulong(3).unwrap() == at as u64));
    let calls = table(&place, "syscalls");
    assert_eq!(
        calls.len(),
        dump.iter().filter(|event| event["kind"] == "call" || event["kind"] == "entry").count()
    );
    let made = calls
        .iter()
        .filter(|row| matches!(column(row, "object"), Field::Str(path) if path.ends_with("/made")));
    let written = made.filter(|row| column(row, "written_bytes") == Field::ULong(100));
    assert_eq!(written.count(), 40);
    let hand_overs = table(&place, "hand_overs");
    assert!(!hand_overs.is_empty());
    for row in hand_overs {
        let to = &events[row.get_ulong(6).unwrap() as usize];
        assert_eq!(
            (to.get_uint(1).unwrap(), to.get_ulong(2).unwrap()),
            (row.get_uint(4).unwrap(), row.get_ulong(5).unwrap())
        );
        assert_ne!(row.get_uint(2).unwrap(), row.get_uint(4).unwrap());
    }
    let mut again = imitate();
    let again = again
        .args(["export", "--name", "mine", "--parquet"])
        .arg(&target)
        .arg(place.trace())
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(125));
    assert!(text(&again.stderr).contains("mine.parquet"), "{}", text(&again.stderr));
}

/// Two threads that want the same lock, which each holds while it sleeps.
const LOCKING: &str = r#"
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t fought_for = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *unused) {
    for (int round = 0; round < 5; round++) {
        pthread_mutex_lock(&fought_for);
        usleep(20000);
        pthread_mutex_unlock(&fought_for);
    }
    return unused;
}
int main(void) {
    pthread_t other;
    pthread_create(&other, NULL, work, NULL);
    work(NULL);
    return pthread_join(other, NULL);
}
"#;

#[test]
fn the_tables_say_what_was_waited_for() {
    for order in ["serial", "sync"] {
        let place = Place::new();
        record_program(&place, LOCKING, &["--order", order], &[], 0);
        let target = place.path("tables");
        ask(&place, &["export", "--name", "mine", "--locks", "--parquet", target.to_str().unwrap()]);
        let calls = table(&place, "syscalls");
        let sleeps = calls.iter().filter(|row| column(row, "name") == Field::Str("clock_nanosleep".into()));
        let slept: Vec<Field> = sleeps.map(|row| column(row, "slept_ns")).collect();
        // A tick of the clock takes 10 ms at most.
        assert_eq!(slept.len(), 10);
        let long = |slept: &Field| matches!(slept, Field::ULong(10_000_000..));
        assert!(slept.iter().all(long), "{order}: {slept:?}");
        let locks = table(&place, "locks");
        let fought = locks.iter().find(|row| column(row, "name") == Field::Str("fought_for".into())).unwrap();
        assert_eq!(column(fought, "taken"), Field::ULong(10), "{order}");
        assert_eq!(column(fought, "threads"), Field::UInt(2), "{order}");
        assert!(!table(&place, "lock_sites").is_empty());
        // The lock went to another thread at least once, which only sync order logs.
        let operations = table(&place, "operations");
        let of_it = operations.iter().filter(|row| column(row, "address") == column(fought, "address"));
        assert_eq!(of_it.count() > 0, order == "sync");
        let stats = rows(&place, &["stats", "--json"]).remove(0);
        assert!(stats["by_sort"]["clock_nanosleep"]["slept_ns"].as_u64().unwrap() >= 100_000_000);
        let (first, _) = ask(&place, &["stats", "--sort", "slept", "-n", "3"]);
        assert!(first.contains("clock_nanosleep"), "{first}");
    }
}
