//! `export`.

mod document;
mod sql;

use super::{ask, record_script, rows};
use crate::{Place, imitate, text};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use parquet::record::{Field, Row};
use serde_json::Value;

/// Two threads, and a child that crashes.
pub const SCRIPT: &str = "
import os, threading
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
    let traces = table(&place, "traces");
    assert_eq!(traces.len(), 1);
    assert_eq!(column(&traces[0], "schema_version"), Field::UInt(1));
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
