//! The table of real programs.

mod servers;
pub mod soak;
mod sync;
mod threads;

use crate::case::{Case, Keys, debian, script};
use crate::inputs;

/// Real programs, unmodified from Debian.
pub fn table() -> Vec<Case> {
    [
        small_tools(),
        text_and_archives(),
        languages(),
        development(),
        threads::rows(),
        sync::rows(),
        servers::rows(),
        terminals(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn small_tools() -> Vec<Case> {
    vec![
        debian("coreutils", "ls -lR /usr"),
        debian("coreutils", "ls -lR --full-time tree").prepared(inputs::tree).varies(),
        debian("coreutils", "date"),
        debian("coreutils", "date +%s.%N").varies(),
        debian("uuid-runtime", "uuidgen -r").varies(),
        debian("uuid-runtime", "uuidgen -t").varies(),
        debian("coreutils", "mktemp").varies(),
        debian("coreutils", "mktemp -d").varies(),
        debian("coreutils", "head -c 1M /dev/urandom").varies(),
        debian("coreutils", "dd if=/dev/urandom bs=128 count=2000").varies(),
        debian("coreutils", "dd if=/dev/urandom bs=512 count=2000").varies(),
        debian("coreutils", "dd if=/dev/urandom bs=4K count=500").varies(),
        debian("coreutils", "dd if=/dev/urandom bs=64K count=50").varies(),
        debian("coreutils", "dd if=/dev/urandom of=copy bs=64K count=50"),
        debian("coreutils", "env").steady(),
        debian("coreutils", "shuf -i 1-1000").varies(),
        debian("coreutils", "true").steady(),
        debian("coreutils", "cat /proc/uptime /proc/self/stat").varies(),
        debian("procps", "ps -ef"),
        debian("passwd", "chage -h").refused("privileges"),
    ]
}

fn text_and_archives() -> Vec<Case> {
    vec![
        debian("gzip", "gzip -6 -k -v text").prepared(inputs::text).steady(),
        debian("gzip", "gzip -c -n text").prepared(inputs::text).steady(),
        debian("bzip2", "bzip2 -c text").prepared(inputs::text).steady(),
        debian("xz-utils", "xz -T1 -2 -c text").prepared(inputs::text).steady(),
        debian("coreutils", "sha256sum text").prepared(inputs::text).steady(),
        debian("coreutils", "sort --parallel=1 -n lines").prepared(inputs::lines).steady(),
        debian("coreutils", "sort --parallel=1 -S 1M -T . lines").prepared(inputs::lines).steady(),
        debian("coreutils", "wc lines").prepared(inputs::lines).steady(),
        debian("findutils", "find tree -type f -printf %p:%i:%T+:%s\\n").prepared(inputs::tree).varies(),
        debian("findutils", "find tree -name file-3.txt -exec wc -l {} ;").prepared(inputs::tree),
        debian("tar", "tar -c -f - tree").prepared(inputs::tree).needs("tar", "tar"),
        debian("tar", "tar -c -z -f tree.tar.gz tree").prepared(inputs::tree).steady(),
        debian("grep", "grep -rc line tree").prepared(inputs::tree),
        debian("mawk", "awk {sum+=$1}END{srand();print(sum,NR,rand())} lines").prepared(inputs::lines),
        debian("sed", "sed -n s/7/seven/p lines").prepared(inputs::lines).steady(),
        debian("sed", "sed -i s/7/seven/ lines").prepared(inputs::lines).steady(),
        debian("bc", "bc -l").reading(b"scale=60\n4*a(1)\ne(1)\n2^500\nquit\n").steady(),
        debian("diffutils", "diff -r tree tree/1").prepared(inputs::tree).exits(1),
        debian("rsync", "rsync -a --stats tree copy").prepared(inputs::tree),
    ]
}

fn languages() -> Vec<Case> {
    const WRITING_THREADS: &str = "/usr/bin/python3 -c '
import os, threading
def write(name):
    for i in range(200): os.write(1, b\"%d\\n\" % name)
threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
'";
    const EXEC_AMONG_THREADS: &str = "/usr/bin/python3 -c '
import os, threading, time
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
os.execv(\"/bin/echo\", [\"echo\", \"replaced\"])
'";
    const PERL: &str = "perl -e 'use Time::HiRes; my %h = map { $_ => rand } 1..50; print join(q( ), keys %h), \
        qq(\n$$ ), Time::HiRes::time(), qq(\n), `date +%N`; print sort { $a <=> $b } map { int rand 100 } 1..50'";
    vec![
        script("perl", PERL).needs("perl", "perl-base").varies(),
        debian("python3", "python3 everyday.py").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 everyday.py").prepared(inputs::scripts).varies(),
        debian("bash", "bash everyday.sh").prepared(inputs::scripts).varies(),
        debian("dash", "dash -c echo").steady(),
        // A shell's child whose cat moves the file by copy_file_range; a search along PATH with a long command
        // line; several threads that write to stdout; an exec that ends other threads.
        script("copying child", "cat /etc/passwd; env cat /etc/group").steady(),
        script("many arguments", "seq 5000 | PATH=/nonexistent:/usr/bin xargs echo | md5sum").steady(),
        script("threads that write", WRITING_THREADS).needs("/usr/bin/python3", "python3"),
        script("exec among threads", EXEC_AMONG_THREADS).needs("/usr/bin/python3", "python3").steady(),
        script("pipeline", "yes | head -n 5000 | nl | sort -R | sha256sum; echo ${PIPESTATUS[@]}").varies(),
        script("sqlite3", "sqlite3 numbers.db <queries.sql && ls -l numbers.db")
            .prepared(inputs::scripts)
            .needs("sqlite3", "sqlite3")
            .varies(),
        debian("openssl", "openssl rand -hex 1000").varies(),
        debian("openssl", "openssl genrsa 1024").varies(),
        debian("openssl", "openssl speed -seconds 1 -bytes 1024 sha256").varies(),
    ]
}

fn development() -> Vec<Case> {
    vec![
        debian("git", "git --no-pager log -p --stat").prepared(inputs::repository),
        debian("git", "git status").prepared(inputs::repository).steady(),
        debian("git", "git gc -q").prepared(inputs::repository),
        script(
            "git commit",
            "echo more >>counter && git commit -am 'One more' && git log -1 --format=fuller",
        )
        .prepared(inputs::repository)
        .needs("git", "git"),
        debian("gcc", "gcc -O2 -c generated.c").prepared(inputs::generated_code).steady(),
        debian("gcc", "gcc -O2 -S -o - generated.c").prepared(inputs::generated_code).steady(),
        debian("gcc", "gcc -v -O2 -c generated.c").prepared(inputs::generated_code),
        debian("gcc", "gcc -O1 -o generated generated.c -lm").prepared(inputs::generated_code),
        debian("make", "make -C project").prepared(inputs::scripts).needs("gcc", "gcc").varies(),
        debian("make", "make -C project -j2").prepared(inputs::scripts).needs("gcc", "gcc").varies(),
    ]
}

fn terminals() -> Vec<Case> {
    vec![
        debian("vim", "vim -u NONE -n everyday.py").prepared(inputs::scripts).typing(&[
            Keys { after: "everyday.py", typed: ":set ruler\r" },
            Keys { after: "1,1", typed: "Ofrom a terminal\u{1b}" },
            Keys { after: "from a terminal", typed: "G:%s/print/say/\r" },
            Keys { after: "say", typed: ":wq\r" },
        ]),
        debian("less", "less everyday.py").prepared(inputs::scripts).typing(&[
            Keys { after: "everyday.py", typed: " " },
            Keys { after: "subprocess.run", typed: "/sleep\r" },
            Keys { after: "process_time", typed: "q" },
        ]),
        debian("nano", "nano everyday.py").prepared(inputs::scripts).typing(&[
            Keys { after: "Help", typed: "hello from a terminal\r" },
            Keys { after: "terminal", typed: "\u{18}" },
            Keys { after: "Save", typed: "y" },
            Keys { after: "Write", typed: "\r" },
        ]),
        debian("bash", "bash --norc --noprofile -i").typing(&[
            Keys { after: "bash-", typed: "echo $((6 * 7)) on $(tty | cut -c1-9)\r" },
            Keys { after: "42 on /dev/pts/", typed: "date +%N; exit 0\r" },
        ]),
    ]
}
