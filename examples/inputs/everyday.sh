# What shell scripts do every day: pipelines, substitutions, here documents, background jobs, traps.
set -eu
trap 'echo "leaving with $?"' EXIT
echo "process $$ of $PPID, random $RANDOM, seconds $SECONDS, $(date +%s.%N)"
count=$(seq 1 1000 | grep -c 7 | tr -d '\n')
echo "$count lines have a seven"
work=$(mktemp -d)
for name in one two three; do
    head -c 2000 /dev/urandom | base64 >"$work/$name"
done
find "$work" -type f | sort | xargs sha256sum | cut -c1-16 | tee "$work/sums"
wc -c <"$work/one"
diff <(sort "$work/one") <(sort "$work/two") | head -3 || true
cat <<END
the shell knows $(uname -s) on $(hostname), $(nproc) processors, $(id -u)
END
(sleep 0.05; echo "the job in the background has ended") &
wait $!
while read -r word rest; do echo "$rest $word"; done <"$work/sums"
printf '%s\n' "$work"/*
if false; then echo no; else echo yes; fi
bash -c 'exit 7' || echo "status $?"
(kill -TERM "$BASHPID") || echo "killed: $?"
rm -r "$work"
