//! docs/EXPORT.md: its tables have the columns that it says, and its queries can be answered.

use super::super::{ask, record_script};
use super::SCRIPT;
use super::sql::{self, Tables};
use crate::Place;
use crate::document::blocks;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

const DOCUMENT: &str = include_str!("../../../../../docs/EXPORT.md");

/// Runs each query of its arguments, and prints an array of all rows for each.
const DUCKDB: &str = "
import duckdb, json, sys
for query in sys.argv[1:]:
    print(json.dumps(duckdb.sql(query).fetchall()))
";

/// A Python that has DuckDB: the one that is named in the environment, which has to have it, or the usual one, which may.
fn duckdb() -> Option<OsString> {
    let named = std::env::var_os("IMITATE_TEST_DUCKDB");
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-c", "import duckdb"]).stdin(Stdio::null()).stderr(Stdio::null());
    let has_it = command.status().is_ok_and(|status| status.success());
    assert!(has_it || named.is_none(), "{} has no DuckDB", python.display());
    has_it.then_some(python)
}

/// The columns that the document describes.
fn described() -> Tables {
    let mut tables = Tables::new();
    let mut described: Option<Vec<String>> = None;
    for line in DOCUMENT.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            described = None;
            continue;
        };
        let names = row.split('|').next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned);
        match &described {
            // The first row has the names of those that are described together.
            None => described = Some(names.collect()),
            Some(described) => {
                for name in names {
                    for table in described {
                        tables.entry(table.clone()).or_default().insert(name.clone());
                    }
                }
            }
        }
    }
    // What is said once, of all.
    for columns in tables.values_mut() {
        columns.insert("trace".to_owned());
    }
    tables
}

/// The columns that the files below `directory` have.
fn written(directory: &Path) -> Tables {
    let mut tables = Tables::new();
    for entry in directory.read_dir().unwrap() {
        let entry = entry.unwrap();
        let file = File::open(entry.path().join("mine.parquet")).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let columns = schema.columns().iter().map(|column| column.name().to_owned()).collect();
        tables.insert(entry.file_name().into_string().unwrap(), columns);
    }
    tables
}

#[test]
fn the_document_says_what_is_there_and_what_can_be_asked() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let target = place.path("tables");
    ask(&place, &["export", "--name", "mine", "--locks", "--parquet", target.to_str().unwrap()]);
    let tables = written(&target);
    assert_eq!(described(), tables);
    let queries: Vec<String> = blocks(DOCUMENT)
        .into_iter()
        .filter(|block| block.language == "sql")
        .map(|block| block.text)
        .collect();
    assert_eq!(queries.len(), 7);
    for query in &queries {
        assert_eq!(sql::missing(query, &tables), [""; 0], "{query}");
    }
    match duckdb() {
        Some(python) => assert_answered(&python, &target, &queries),
        None => eprintln!("there is no DuckDB here: the queries were read, and not run"),
    }
}

/// Has DuckDB answer the queries: there is something to say to each, since a process has crashed, and another has
/// slept.
fn assert_answered(python: &OsString, directory: &Path, queries: &[String]) {
    let mut command = Command::new(python);
    let output = command.arg("-c").arg(DUCKDB).args(queries).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let answers: Vec<Vec<Vec<serde_json::Value>>> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(answers.len(), queries.len());
    for (query, rows) in queries.iter().zip(&answers) {
        assert!(!rows.is_empty(), "{query}");
    }
    let (crashes, last_calls) = (&answers[0], &answers[6]);
    assert_eq!(crashes.len(), 1);
    assert_eq!((&crashes[0][0], &crashes[0][3]), (&"mine".into(), &"SIGABRT".into()));
    assert_eq!(last_calls.len(), 5);
    assert!(last_calls[4][3].as_str().is_some_and(|text| text.contains("SIGABRT")), "{last_calls:?}");
}
