//! Writing one Parquet file, beside whoever makes the rows: encoding takes as long as that.
//!
//! Rows are given over a few at a time, while they are in the processor's cache, and all columns of a group grow together
//! (the library's own way, one column after the other, takes all rows of a group for each: a hundred MB, which would go
//! through memory).

use super::columns::Row;
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::writer::{ColumnWriter, get_column_writer};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnPath, Type};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// Rows of a group: enough for good columns, few enough for memory.
const GROUP: usize = 1 << 16;

/// Rows that are given over together: of some 300 bytes each, so that they are in the cache until the last column is taken.
const BATCH: usize = 1 << 10;
/// Batches that wait to be encoded: enough to bridge the end of a group, which takes longest.
const AHEAD: usize = 8;

/// Bytes that are given to the kernel together: finished columns come in pieces of 8 KiB.
const TOGETHER: usize = 1 << 20;

/// Columns whose numbers go up from row to row, in all tables: a dictionary would have every one of them, and differences
/// take a bit or two.
const RISING: [&str; 4] = ["event", "position", "from_event", "to_event"];

/// A table of one trace.
pub struct TableFile<R> {
    rows: Vec<R>,
    batches: SyncSender<Vec<R>>,
    /// Batches that are encoded, to be filled again.
    encoded: Receiver<Vec<R>>,
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
        let (batches, received) = sync_channel(AHEAD);
        let (empty, encoded) = channel();
        let writer = std::thread::spawn(move || write(file, &path, &received, &empty));
        Ok(TableFile { rows: Vec::new(), batches, encoded, writer })
    }

    /// Appends a row.
    pub fn push(&mut self, row: R) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() < BATCH {
            return Ok(());
        }
        let next = self.encoded.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH));
        let batch = std::mem::replace(&mut self.rows, next);
        self.batches.send(batch).map_err(|_| anyhow!("a table cannot be written any more"))
    }

    /// Writes what is left, and the end.
    pub fn finish(self) -> Result<()> {
        let TableFile { rows, batches, writer, .. } = self;
        // If nobody takes them, the writer says why.
        let _ = batches.send(rows);
        drop(batches);
        writer.join().map_err(|_| anyhow!("the writer of a table has failed"))?
    }
}

fn write<R: Row>(
    file: File,
    path: &Path,
    batches: &Receiver<Vec<R>>,
    encoded: &Sender<Vec<R>>,
) -> Result<()> {
    let work = || -> parquet::errors::Result<()> {
        let schema = Type::group_type_builder("rust_schema").with_fields(R::columns()?).build()?;
        let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        for column in RISING.map(ColumnPath::from) {
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        let file = BufWriter::with_capacity(TOGETHER, file);
        let mut writer = SerializedFileWriter::new(file, schema.into(), Arc::new(properties.build()))?;
        let mut batches = batches.iter().filter(|rows| !rows.is_empty()).peekable();
        while batches.peek().is_some() {
            group(&mut writer, &mut batches, encoded)?;
        }
        writer.close().map(drop)
    };
    work().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a group of the next batches.
fn group<R: Row>(
    writer: &mut SerializedFileWriter<BufWriter<File>>,
    batches: &mut impl Iterator<Item = Vec<R>>,
    encoded: &Sender<Vec<R>>,
) -> parquet::errors::Result<()> {
    let columns = writer.schema_descr().columns();
    let mut chunks: Vec<_> = columns.iter().map(|_| TrackedWrite::new(Vec::new())).collect();
    let open = columns.iter().zip(&mut chunks).map(|(column, chunk)| {
        let pages = Box::new(SerializedPageWriter::new(chunk));
        get_column_writer(column.clone(), writer.properties().clone(), pages)
    });
    let mut open: Vec<ColumnWriter> = open.collect();
    for mut rows in batches.take(GROUP / BATCH) {
        R::append(&mut rows, &mut open)?;
        rows.clear();
        // After the last one nobody wants it.
        let _ = encoded.send(rows);
    }
    let closed: Vec<_> = open.into_iter().map(ColumnWriter::close).collect::<parquet::errors::Result<_>>()?;
    let mut group = writer.next_row_group()?;
    for (chunk, closed) in chunks.into_iter().zip(closed) {
        group.append_column(&Bytes::from(chunk.into_inner()?), closed)?;
    }
    group.close().map(drop)
}
