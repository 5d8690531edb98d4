//! Tables for people.

use crate::pager;
use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};

/// A table without lines. The first column and those whose name has a `<` before it are to the left, others, which have
/// numbers, to the right.
pub fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if pager::is_on() {
        table.enforce_styling();
    }
    // On a terminal only.
    let title = |name: &&str| Cell::new(name.trim_start_matches('<')).add_attribute(Attribute::Bold);
    table.set_header(columns.iter().map(title));
    for (index, column) in table.column_iter_mut().enumerate() {
        if index > 0 && !columns[index].starts_with('<') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `1,234`.
pub fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1.2 ms`, of nanoseconds.
pub fn time(nanoseconds: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("s", 1e9), ("ms", 1e6), ("us", 1e3)];
    let time = nanoseconds as f64;
    match UNITS.iter().find(|(_, size)| time >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", time / size),
        None => format!("{nanoseconds} ns"),
    }
}

/// `1.21 KiB`.
pub fn bytes(number: u64) -> String {
    HumanBytes(number).to_string()
}
