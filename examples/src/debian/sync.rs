//! Programs that are recorded and replayed with their threads in parallel.

use crate::case::{Case, debian};
use crate::inputs;

/// Rows for the table.
pub fn rows() -> Vec<Case> {
    [
        debian("pbzip2", "pbzip2 -p2 -b1 -c text").prepared(inputs::text).steady(),
        debian("pigz", "pigz -p2 -c -n text").prepared(inputs::text).steady(),
        debian("xz-utils", "xz -T2 -2 --block-size=1MiB -c text").prepared(inputs::text).steady(),
        debian("zstd", "zstd -T2 -q -c text").prepared(inputs::text).steady(),
    ]
    .map(Case::in_parallel)
    .into()
}
