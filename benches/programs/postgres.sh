# Starts PostgreSQL in the directory data here, gives it some work, and stops it. Makes the directory if there is none, and
# does nothing else then.
set -e
as() { "$@"; }
# It refuses to run as root.
if [ "$(id -u)" = 0 ]; then as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }; fi
bin=$(echo /usr/lib/postgresql/*/bin)
if [ ! -d data ]; then
    chmod o+x .
    if [ "$(id -u)" = 0 ]; then mkdir data && chown postgres data; fi
    as "$bin/initdb" -D data -A trust --no-sync
    exit
fi
# Without waiting for the disk, which is what would be measured.
as "$bin/pg_ctl" -D data -o "-k $PWD/data -c listen_addresses= -c fsync=off" -w -l data/log start
as psql -q -h "$PWD/data" postgres -c 'create table t(a int primary key, b text)' \
    -c 'insert into t select g, md5(g::text) from generate_series(1, 100000) g' \
    -c 'update t set b = b || a where a % 2 = 0' -c 'select sum(a), max(b) from t' -c 'drop table t'
as "$bin/pg_ctl" -D data -w stop
