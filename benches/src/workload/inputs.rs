//! Makes the inputs of workloads.

use examples::inputs;
use std::fs::{self, File};
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// A text of `size` bytes.
pub fn write(directory: &Path, name: &str, size: usize) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(directory.join(name))?);
    inputs::write_text(&mut file, size)?;
    file.flush()
}

/// Copies a file of `benches/programs`.
pub fn program(directory: &Path, name: &str) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name);
    fs::copy(source, directory.join(name)).map(drop)
}

/// A Makefile and 30 C files.
pub fn project(directory: &Path) -> Result<()> {
    let mut objects = String::new();
    for number in 0..30 {
        let code = format!(
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
             int work{number}(int n) {{ int sum = 0; for (int i = 0; i < n; i++) sum += i * {number}; return sum; }}\n"
        );
        fs::write(directory.join(format!("part{number}.c")), code)?;
        objects += &format!(" part{number}.o");
    }
    fs::write(directory.join("main.c"), "int work29(int); int main(void) { return work29(0); }\n")?;
    fs::write(directory.join("Makefile"), format!("CFLAGS = -O1\nprogram: main.o{objects}\n\tcc -o $@ $^\n"))
}

/// A directory `many` of 2000 files of 0 to 16 kB, and one that they are copied to.
pub fn many_files(directory: &Path) -> Result<()> {
    fs::create_dir(directory.join("copies"))?;
    for number in 0..2000 {
        let subdirectory = directory.join(format!("many/{}", number % 20));
        fs::create_dir_all(&subdirectory)?;
        write(&subdirectory, &format!("{number}"), number * 7919 % 16384)?;
    }
    Ok(())
}

/// Ten seconds of a test picture, `film.mp4`.
pub fn film(directory: &Path) -> Result<()> {
    let words = "-v error -f lavfi -i testsrc=size=640x480:rate=25:duration=10 -c:v mpeg4 film.mp4";
    let status =
        std::process::Command::new("ffmpeg").args(words.split(' ')).current_dir(directory).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("ffmpeg: {status}"))) }
}

/// SQL that makes a table of 100,000 rows, with something before and after.
pub fn inserts(directory: &Path, name: &str, before: &str, after: &str) -> Result<()> {
    let mut script = format!("drop table if exists numbers; create table numbers (id, text); {before}\n");
    for id in 0..100_000 {
        script += &format!("insert into numbers values ({id}, 'number {id} as text');\n");
    }
    script += after;
    script += "\nselect count(*), sum(id) from numbers;\n";
    fs::write(directory.join(name), script)
}
