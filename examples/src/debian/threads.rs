//! Programs of several threads, or of several processes that work at the same time.

use crate::case::{Case, Keys, debian, script};
use crate::inputs;

/// Rows for the table.
pub fn rows() -> Vec<Case> {
    [python(), compressors(), languages(), databases(), jobs()].into_iter().flatten().collect()
}

fn python() -> Vec<Case> {
    vec![
        debian("python3", "/usr/bin/python3 threads.py").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 asynchronous.py").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 processes.py").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 shared_processes.py queues").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 shared_processes.py pool").prepared(inputs::scripts).varies(),
        debian("python3", "/usr/bin/python3 shared_processes.py executor").prepared(inputs::scripts).varies(),
    ]
}

fn compressors() -> Vec<Case> {
    vec![
        debian("pbzip2", "pbzip2 -p2 -b1 -c text").prepared(inputs::text).steady(),
        debian("pigz", "pigz -p2 -c -n text").prepared(inputs::text).steady(),
        debian("xz-utils", "xz -T2 -2 --block-size=1MiB -c text").prepared(inputs::text).steady(),
        debian("zstd", "zstd -T2 -q -c text").prepared(inputs::text).steady(),
        script("pbzip2 and back", "pbzip2 -p2 -b1 text && pbzip2 -p2 -d -c text.bz2 | md5sum")
            .prepared(inputs::text)
            .needs("pbzip2", "pbzip2")
            .steady(),
        debian("coreutils", "sort --parallel=2 -n lines").prepared(inputs::lines).steady(),
    ]
}

fn languages() -> Vec<Case> {
    const RUBY: &str = "ruby -e '
queue = Queue.new
threads = 3.times.map { |i| Thread.new { 50.times { |j| queue << [i, j]; Thread.pass if rand < 0.3 } } }
threads.each(&:join)
taken = []
taken << queue.pop until queue.empty?
p taken, rand, Time.now.to_f, `date +%N`, Process.wait2(fork { exit 3 })
'";
    const PERL: &str = "perl -e '
use threads; use threads::shared; my $sum :shared = 0;
my @threads = map { my $i = $_; threads->create(sub { for (1..200) { lock $sum; $sum++ } $i * rand }) } 1..3;
print join(q( ), map { $_->join } @threads), qq( $sum\\n);
'";
    vec![
        script("ruby threads", RUBY).needs("ruby", "ruby").varies(),
        script("perl threads", PERL).needs("perl", "perl").varies(),
        script(
            "ssh-keygen",
            "ssh-keygen -q -t ed25519 -N '' -f one && ssh-keygen -q -t rsa -b 2048 -N '' -f two && cat one two",
        )
        .needs("ssh-keygen", "openssh-client")
        .varies(),
    ]
}

fn databases() -> Vec<Case> {
    // Whoever finds the database locked waits for it.
    const SHELLS: &str = "sqlite3 numbers.db 'create table t(a, b)'
for writer in 1 2; do
    for i in $(seq 10); do
        sqlite3 -cmd '.timeout 60000' numbers.db \\
            \"begin immediate; insert into t values($writer, random());
              insert into t select $writer, count(*) from t; commit\"
    done &
done
wait
sqlite3 numbers.db 'select * from t order by rowid'";
    vec![
        script("sqlite3 twice", SHELLS).needs("sqlite3", "sqlite3").varies(),
        debian("python3", "/usr/bin/python3 two_writers.py rows.db delete")
            .prepared(inputs::scripts)
            .varies(),
        debian("python3", "/usr/bin/python3 two_writers.py rows.db wal").prepared(inputs::scripts).varies(),
    ]
}

fn jobs() -> Vec<Case> {
    const CONTROL: &str = "set -m
sleep 0.1 & sleep 100 & jobs
kill %2; wait %1; echo $?; wait %2; echo $?
(trap 'echo terminated; exit 3' TERM; echo >ready; while :; do sleep 0.01; done) &
until [ -e ready ]; do sleep 0.01; done
kill %%; fg; echo $?
sleep 0.2 & kill -STOP %%; kill -CONT %%; fg
jobs; echo done $$";
    const CLONE: &str = "git clone -q --no-local . copy && cd copy && git gc -q && git fsck &&
git config user.name Somebody && git config user.email somebody@example.org &&
git commit -q --allow-empty -m empty && git push -q origin HEAD:refs/heads/pushed &&
git log -1 --format=fuller";
    vec![
        script("job control", CONTROL).varies(),
        script("git clone", CLONE).prepared(inputs::repository).needs("git", "git"),
        debian("make", "make -s -j2 -C many").prepared(inputs::many_sources).needs("gcc", "gcc"),
        script("tmux", "tmux -S socket -f /dev/null new-session 'bash --norc --noprofile'")
            .needs("tmux", "tmux")
            .typing(&[
                Keys { after: "bash-", typed: "echo $((6 * 7)) on $(tty | cut -c1-9)\r" },
                Keys { after: "42 on /dev/pts/", typed: "date +%N; exit 0\r" },
            ]),
        // A process that ends while another still works on what it left.
        script(
            "pipes and substitutions",
            "diff <(seq 1 3 5000 | tac) <(seq 5000 | awk NR%3==1 | sort -rn) && date +%N",
        )
        .varies(),
        script("two hundred processes", "for i in $(seq 200); do /bin/echo $i $BASHPID; done; date +%N")
            .varies(),
    ]
}
