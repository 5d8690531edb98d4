//! Programs that are recorded and replayed with their threads in parallel.

use crate::case::{Case, debian, script};
use crate::inputs;

const MEMCACHED: &str = "echo $$ >server.pid; exec memcached -u root -l 127.0.0.1 -p {port} -t 2 -vv";

/// Rows for the table.
pub fn rows() -> Vec<Case> {
    [
        debian("pbzip2", "pbzip2 -p2 -b1 -c text").prepared(inputs::text).steady(),
        debian("pigz", "pigz -p2 -c -n text").prepared(inputs::text).steady(),
        debian("xz-utils", "xz -T2 -2 --block-size=1MiB -c text").prepared(inputs::text).steady(),
        debian("zstd", "zstd -T2 -q -c text").prepared(inputs::text).steady(),
        // Large enough for all its versions to use threads.
        debian("imagemagick", "convert-im6.q16 rose: -resize 1500x2000 -colorspace Lab -resize 20% rgb:-")
            .steady(),
        script("memcached with 2 threads", MEMCACHED)
            .prepared(inputs::scripts)
            .needs("memcached", "memcached")
            .needs("python3", "python3")
            .beside("python3 memcached_client.py {port}"),
    ]
    .map(Case::in_parallel)
    .into()
}
