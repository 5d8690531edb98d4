//! Makes the inputs of real programs.

use std::fs::{self, File};
use std::io::{BufWriter, Error, Result, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Copies everything in `examples/inputs`: scripts and a small C project.
pub fn scripts(into: &Path) -> Result<()> {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs"), into)
}

fn copy(from: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = into.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A million short lines in no order, in `lines`: 8 MB.
pub fn lines(into: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(into.join("lines"))?);
    // Multiplication by a number without common factors with 2^23 gives each number once, in no visible order.
    for i in 0..1_000_000u64 {
        writeln!(file, "{}", i * 5_234_567 % (1 << 23))?;
    }
    file.flush()
}

/// Words and numbers that compress like prose, in `text`: 4 MB.
pub fn text(into: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(into.join("text"))?);
    write_text(&mut file, 4 << 20)?;
    file.flush()
}

/// Writes at least `size` bytes that compress about as well as prose.
pub fn write_text(file: &mut impl Write, size: usize) -> Result<()> {
    const WORDS: [&str; 16] = [
        "record", "replay", "the", "of", "a", "system", "call", "thread", "signal", "and", "to", "in",
        "memory", "is", "that", "page",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut written = 0;
    while written < size {
        // Xorshift: the same text every time, everywhere.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let word = WORDS[state as usize % WORDS.len()];
        let end = if state >> 60 == 0 { '\n' } else { ' ' };
        let piece = if state >> 61 == 5 { format!("{}{end}", state >> 40) } else { format!("{word}{end}") };
        written += piece.len();
        file.write_all(piece.as_bytes())?;
    }
    Ok(())
}

/// A directory `tree` of forty directories with ten small files each.
pub fn tree(into: &Path) -> Result<()> {
    for directory in 0..40 {
        let path = into.join(format!("tree/{}/{directory}", directory % 7));
        fs::create_dir_all(&path)?;
        for file in 0..10 {
            let lines: String = (0..file * 20).map(|line| format!("line {line} of {file}\n")).collect();
            fs::write(path.join(format!("file-{file}.txt")), lines)?;
        }
    }
    Ok(())
}

/// A git repository of the scripts with twenty commits.
pub fn repository(into: &Path) -> Result<()> {
    scripts(into)?;
    let script =
        "set -e; git init -q; git config user.name Somebody; git config user.email somebody@example.org
        for i in $(seq 20); do echo $i >>counter; git add .; git commit -q -m \"Commit $i\"; done";
    run(into, script)
}

/// A C file of about two thousand lines, `generated.c`.
pub fn generated_code(into: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(into.join("generated.c"))?);
    writeln!(file, "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>")?;
    for i in 0..200 {
        writeln!(
            file,
            "struct s{i} {{ int a[{n}]; double b; struct s{i} *next; }};\n\
             static double f{i}(struct s{i} *s, int n) {{\n    double sum = {i};\n    \
             for (int j = 0; j < n; j++) {{\n        sum += s->a[j % {n}] * s->b + sqrt(sum + j);\n        \
             if (sum > 1e9) sum /= {n};\n    }}\n    return s->next ? f{i}(s->next, n - 1) + sum : sum;\n}}",
            n = i % 17 + 3
        )?;
    }
    writeln!(file, "int main(int argc, char **argv) {{\n    double sum = argc;\n    (void)argv;")?;
    for i in 0..200 {
        writeln!(
            file,
            "    {{ struct s{i} s; memset(&s, argc, sizeof s); s.next = 0; sum += f{i}(&s, argc); }}"
        )?;
    }
    writeln!(file, "    printf(\"%f\\n\", sum);\n    return 0;\n}}")?;
    file.flush()
}

/// Thirty C files and a Makefile for them, in `many`.
pub fn many_sources(into: &Path) -> Result<()> {
    let many = into.join("many");
    fs::create_dir(&many)?;
    let mut main = String::new();
    for i in 0..30 {
        let text = format!("#include <stdio.h>\nint f{i}(int a) {{ return printf(\"%d\\n\", a * {i}); }}\n");
        fs::write(many.join(format!("f{i}.c")), text)?;
        main += &format!("int f{i}(int);\n");
    }
    let calls: String = (0..30).map(|i| format!("    f{i}({i});\n")).collect();
    fs::write(many.join("main.c"), format!("{main}int main(void) {{\n{calls}    return 0;\n}}\n"))?;
    let makefile = "objects = $(patsubst %.c,%.o,$(wildcard *.c))\nprogram: $(objects)\n\tcc -o $@ $^\n\
        %.o: %.c\n\tcc -O1 -c -o $@ $<\n\t@echo $@\n";
    fs::write(many.join("Makefile"), makefile)
}

/// The scripts, and the classes of the Java programs among them.
pub fn java(into: &Path) -> Result<()> {
    scripts(into)?;
    run(into, "javac -d . java/*.java")
}

/// Two seconds of a test picture, `film.mp4`.
pub fn film(into: &Path) -> Result<()> {
    run(into, "ffmpeg -v error -f lavfi -i testsrc=size=320x240:rate=10:duration=2 -c:v mpeg4 film.mp4")
}

fn run(directory: &Path, script: &str) -> Result<()> {
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(directory)
        .env("HOME", directory)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::other(format!("{script} failed: {}", String::from_utf8_lossy(&output.stderr))))
}
