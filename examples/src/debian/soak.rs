//! Programs too heavy for every run of the tests: `cargo xtask soak` installs and runs them.

use crate::case::{Case, debian};
use crate::inputs;

/// The heavy rows.
pub fn table() -> Vec<Case> {
    [java(), javascript(), media()].into_iter().flatten().collect()
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
