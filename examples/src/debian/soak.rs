//! Programs too heavy for every run of the tests: `cargo xtask soak` installs and runs them.

use crate::case::{Case, debian, script};
use crate::inputs;

/// The heavy rows.
pub fn table() -> Vec<Case> {
    [java(), javascript(), media(), postgres()].into_iter().flatten().collect()
}

fn java() -> Vec<Case> {
    vec![
        debian("default-jdk-headless", "java Hello").prepared(inputs::java).varies(),
        debian("default-jdk-headless", "java Work").prepared(inputs::java).varies(),
        debian("default-jdk-headless", "java -XX:+UseG1GC -XX:ActiveProcessorCount=2 Work")
            .prepared(inputs::java)
            .varies(),
        debian("default-jdk-headless", "javac java/Hello.java java/Work.java")
            .prepared(inputs::scripts)
            .steady(),
    ]
}

fn javascript() -> Vec<Case> {
    vec![debian("nodejs", "node workers.js").prepared(inputs::scripts).varies()]
}

fn media() -> Vec<Case> {
    const TRANSCODE: &str =
        "ffmpeg -v error -threads 2 -i film.mp4 -threads 2 -c:v mpeg4 -f framemd5 -bitexact -";
    vec![debian("ffmpeg", TRANSCODE).prepared(inputs::film)]
}

fn postgres() -> Vec<Case> {
    // It refuses to run as root. Its processes share more than a mebibyte of memory.
    const SESSION: &str = "set -e
as() { \"$@\"; }
if [ $(id -u) = 0 ]; then
    chmod o+x .. .; mkdir data; chown postgres data
    as() { setpriv --reuid=postgres --regid=postgres --clear-groups \"$@\"; }
fi
bin=$(echo /usr/lib/postgresql/*/bin)
as $bin/initdb -D data -A trust --no-sync >/dev/null
as $bin/pg_ctl -D data -o \"-k $PWD/data -c listen_addresses=\" -w -l data/log start
as psql -h $PWD/data postgres -c 'create table t(a int, b text)' \\
    -c 'insert into t select g, md5(random()::text) from generate_series(1, 1000) g' \\
    -c 'select sum(a), max(b), now() from t'
as $bin/pg_ctl -D data -w stop";
    vec![script("postgres", SESSION).needs("psql", "postgresql").varies()]
}
