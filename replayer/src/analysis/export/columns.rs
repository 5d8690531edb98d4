//! Rows as the columns of a Parquet file.
//!
//! `parquet_derive` does the same for more types, but copies every text for every row, also those that millions of rows
//! share, such as the trace's name.

use parquet::basic::{LogicalType, Repetition};
use parquet::column::writer::{ColumnWriter, get_typed_column_writer_mut};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::schema::types::{Type, TypePtr};

/// A row of a table.
pub trait Row: Sized {
    /// What the columns are.
    fn columns() -> Result<Vec<TypePtr>>;

    /// Appends `rows`, whose texts are gone then, to the columns of a group, which are those that [`Row::columns`] says.
    fn append(rows: &mut [Self], group: &mut [ColumnWriter]) -> Result<()>;
}

/// Makes a structure that is a [`Row`]: a field is a column.
macro_rules! table {
    ($(#[$about:meta])* pub struct $row:ident { $(pub $column:ident: $value:ty,)* }) => {
        $(#[$about])*
        pub struct $row { $(pub $column: $value,)* }

        impl $crate::analysis::export::columns::Row for $row {
            fn columns() -> parquet::errors::Result<Vec<parquet::schema::types::TypePtr>> {
                Ok(vec![$($crate::analysis::export::columns::column::<$value>(stringify!($column))?),*])
            }

            fn append(
                rows: &mut [$row],
                group: &mut [parquet::column::writer::ColumnWriter],
            ) -> parquet::errors::Result<()> {
                let mut group = group.iter_mut();
                $(if let Some(column) = group.next() {
                    $crate::analysis::export::columns::append(column, rows.iter_mut().map(|row| &mut row.$column))?;
                })*
                Ok(())
            }
        }
    };
}

pub(super) use table;

/// What a column can be of.
pub trait Value {
    /// As what it is stored.
    type Stored: DataType;
    /// It can be missing.
    const OPTIONAL: bool = false;

    /// What it means, if that is more than how it is stored.
    fn meaning() -> Option<LogicalType> {
        None
    }

    /// The value, unless it is missing. A text is gone afterwards.
    fn take(&mut self) -> Option<<Self::Stored as DataType>::T>;
}

/// What the column of this name is.
pub fn column<V: Value>(name: &str) -> Result<TypePtr> {
    let column = Type::primitive_type_builder(name, V::Stored::get_physical_type())
        .with_logical_type(V::meaning())
        .with_repetition(if V::OPTIONAL { Repetition::OPTIONAL } else { Repetition::REQUIRED });
    column.build().map(TypePtr::from)
}

/// Appends values to a column, which is one of such.
pub fn append<'a, V: Value + 'a>(
    column: &mut ColumnWriter,
    rows: impl ExactSizeIterator<Item = &'a mut V>,
) -> Result<()> {
    let mut values = Vec::with_capacity(rows.len());
    let mut levels = Vec::with_capacity(if V::OPTIONAL { rows.len() } else { 0 });
    for value in rows {
        let value = value.take();
        if V::OPTIONAL {
            levels.push(i16::from(value.is_some()));
        }
        values.extend(value);
    }
    let levels = V::OPTIONAL.then_some(&levels[..]);
    get_typed_column_writer_mut::<V::Stored>(column).write_batch(&values, levels, None).map(drop)
}

impl<V: Value> Value for Option<V> {
    type Stored = V::Stored;
    const OPTIONAL: bool = true;

    fn meaning() -> Option<LogicalType> {
        V::meaning()
    }

    fn take(&mut self) -> Option<<V::Stored as DataType>::T> {
        self.as_mut().and_then(V::take)
    }
}

impl Value for bool {
    type Stored = BoolType;

    fn take(&mut self) -> Option<bool> {
        Some(*self)
    }
}

impl Value for i32 {
    type Stored = Int32Type;

    fn take(&mut self) -> Option<i32> {
        Some(*self)
    }
}

impl Value for i64 {
    type Stored = Int64Type;

    fn take(&mut self) -> Option<i64> {
        Some(*self)
    }
}

impl Value for u32 {
    type Stored = Int32Type;

    fn meaning() -> Option<LogicalType> {
        Some(LogicalType::integer(32, false))
    }

    fn take(&mut self) -> Option<i32> {
        Some(*self as i32)
    }
}

impl Value for u64 {
    type Stored = Int64Type;

    fn meaning() -> Option<LogicalType> {
        Some(LogicalType::integer(64, false))
    }

    fn take(&mut self) -> Option<i64> {
        Some(*self as i64)
    }
}

impl Value for String {
    type Stored = ByteArrayType;

    fn meaning() -> Option<LogicalType> {
        Some(LogicalType::String)
    }

    fn take(&mut self) -> Option<ByteArray> {
        Some(std::mem::take(self).into_bytes().into())
    }
}

/// A text of which clones share the bytes, for where it stands in many rows. Whoever makes one makes it of a string.
impl Value for ByteArray {
    type Stored = ByteArrayType;

    fn meaning() -> Option<LogicalType> {
        Some(LogicalType::String)
    }

    fn take(&mut self) -> Option<ByteArray> {
        Some(std::mem::take(self))
    }
}
