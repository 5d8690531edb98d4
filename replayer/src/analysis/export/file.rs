//! Writing one Parquet file, a group of rows at a time, beside whoever makes the rows: encoding takes longer than that.

use super::columns::Row;
use anyhow::{Context, Result, anyhow};
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Rows of a group: enough for good columns, few enough for memory.
const GROUP: usize = 1 << 16;

/// Columns whose numbers go up from row to row, in all tables: a dictionary would have every one of them, and differences
/// take a bit or two.
const RISING: [&str; 4] = ["event", "position", "from_event", "to_event"];

/// A table of one trace.
pub struct TableFile<R> {
    rows: Vec<R>,
    groups: SyncSender<Vec<R>>,
    /// Groups that are written, to be filled again.
    written: Receiver<Vec<R>>,
    writer: JoinHandle<Result<()>>,
}

impl<R: Row + Send + 'static> TableFile<R> {
    /// Begins `DIR/TABLE/TRACE.parquet`, which must not exist; for its owner only, since what programs read is in it.
    pub fn create(directory: &Path, table: &str, trace: &str) -> Result<TableFile<R>> {
        let directory = directory.join(table);
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        let path = directory.join(format!("{trace}.parquet"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        let (groups, received) = sync_channel(1);
        let (empty, written) = channel();
        let writer = std::thread::spawn(move || write(file, &path, &received, &empty));
        Ok(TableFile { rows: Vec::new(), groups, written, writer })
    }

    /// Appends a row.
    pub fn push(&mut self, row: R) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() < GROUP {
            return Ok(());
        }
        let next = self.written.try_recv().unwrap_or_else(|_| Vec::with_capacity(GROUP));
        let group = std::mem::replace(&mut self.rows, next);
        self.groups.send(group).map_err(|_| anyhow!("a table cannot be written any more"))
    }

    /// Writes what is left, and the end.
    pub fn finish(self) -> Result<()> {
        let TableFile { rows, groups, writer, .. } = self;
        // If nobody takes them, the writer says why.
        let _ = groups.send(rows);
        drop(groups);
        writer.join().map_err(|_| anyhow!("the writer of a table has failed"))?
    }
}

fn write<R: Row>(file: File, path: &Path, groups: &Receiver<Vec<R>>, written: &Sender<Vec<R>>) -> Result<()> {
    let work = || -> parquet::errors::Result<()> {
        let schema = Type::group_type_builder("rust_schema").with_fields(R::columns()?).build()?;
        let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        for column in RISING.map(ColumnPath::from) {
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        let mut writer = SerializedFileWriter::new(file, schema.into(), Arc::new(properties.build()))?;
        for mut rows in groups.iter().filter(|rows| !rows.is_empty()) {
            let mut group = writer.next_row_group()?;
            R::write(&mut rows, &mut group)?;
            group.close()?;
            rows.clear();
            // After the last one nobody wants it.
            let _ = written.send(rows);
        }
        writer.close().map(drop)
    };
    work().with_context(|| format!("cannot write {}", path.display()))
}
