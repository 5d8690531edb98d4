//! Servers and clients: one of the two is recorded.

use crate::case::{Case, debian, script};
use crate::inputs;

/// Rows for the table.
pub fn rows() -> Vec<Case> {
    [http(), redis(), nginx(), memcached()].into_iter().flatten().collect()
}

fn http() -> Vec<Case> {
    const SERVE: &str = "exec python3 -u -m http.server {port} --bind 127.0.0.1 2>&1";
    const SERVE_RECORDED: &str =
        "echo $$ >server.pid; exec python3 -u -m http.server {port} --bind 127.0.0.1";
    const FETCH: &str = "for path in / /everyday.py /nothing; do \
        curl -s -o /dev/null http://127.0.0.1:{port}$path; done; kill -INT $(cat server.pid)";
    const SERVE_TWICE: &str = "/usr/bin/python3 -u -c \"
from http.server import HTTPServer, SimpleHTTPRequestHandler
server = HTTPServer(('127.0.0.1', {port}), SimpleHTTPRequestHandler)
print('serving', server.server_port)
server.handle_request(); server.handle_request()\"";
    const FETCH_TWICE: &str = "curl -s http://127.0.0.1:{port}/; curl -s http://127.0.0.1:{port}/nothing";
    vec![
        debian("curl", "curl -s -S -i http://127.0.0.1:{port}/everyday.py")
            .prepared(inputs::scripts)
            .needs("python3", "python3")
            .after(SERVE),
        debian("curl", "curl -s -S http://127.0.0.1:{port}/text -o copy -w %{time_total}")
            .prepared(inputs::text)
            .needs("python3", "python3")
            .after(SERVE)
            .varies(),
        script("http server", SERVE_RECORDED)
            .prepared(inputs::scripts)
            .needs("python3", "python3")
            .needs("curl", "curl")
            .beside(FETCH),
        script("http server of one thread", SERVE_TWICE)
            .prepared(inputs::scripts)
            .needs("/usr/bin/python3", "python3")
            .needs("curl", "curl")
            .beside(FETCH_TWICE),
    ]
}

fn redis() -> Vec<Case> {
    const SERVER: &str = "exec redis-server --port {port} --save '' --dir .";
    const LOAD: &str = "until redis-cli -p {port} ping; do :; done
redis-benchmark -p {port} -t set,get,incr,lpush,sadd,zadd -n 5000 -q -P 4 --threads 2
redis-cli -p {port} shutdown nosave";
    // Its threads wait for each other by spinning without `pause`: 10 ms a hand-over.
    const FEW: &str = "until redis-cli -p {port} ping; do :; done
redis-benchmark -p {port} -t set,get,lpush,zadd -n 200 -q -P 4 --threads 2
redis-cli -p {port} shutdown nosave";
    const SAVING: &str = "exec redis-server --port {port} --save '1 1' --appendonly yes --dir .";
    // Every save is a process forked from a server that goes on serving.
    const SAVE: &str = "ask() { redis-cli -p {port} \"$@\"; }
settled() { ! ask info persistence | grep -qE '(rdb_bgsave|aof_rewrite)_in_progress:1'; }
until ask ping; do :; done
redis-benchmark -p {port} -t set,lpush -n 5000 -q -r 1000
until settled; do :; done; ask bgsave
redis-benchmark -p {port} -t get,set -n 5000 -q -r 1000
until settled; do :; done; ask bgrewriteaof
redis-benchmark -p {port} -t get,set -n 5000 -q -r 1000
until settled; do :; done; ask shutdown save";
    vec![
        script("redis-server", SERVER).needs("redis-server", "redis-server").beside(LOAD).varies(),
        script("redis-server that saves", SAVING).needs("redis-server", "redis-server").beside(SAVE).varies(),
        script(
            "redis-server with threads",
            "exec redis-server --port {port} --save '' --dir . --io-threads 2 --io-threads-do-reads yes",
        )
        .needs("redis-server", "redis-server")
        .beside(FEW)
        .varies(),
    ]
}

fn nginx() -> Vec<Case> {
    const SERVER: &str = "cat >nginx.conf <<END
user root; daemon off; worker_processes 2; error_log stderr info; pid server.pid;
events { worker_connections 64; }
http {
    access_log /dev/stdout; sendfile on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server { listen 127.0.0.1:{port}; root .; location / { autoindex on; } }
}
END
exec nginx -p . -c nginx.conf";
    const CLIENTS: &str = "until curl -s http://127.0.0.1:{port}/; do :; done
for i in $(seq 10); do
    curl -s http://127.0.0.1:{port}/text -o copy-$i & curl -s http://127.0.0.1:{port}/nothing &
done
wait $(jobs -p); kill -HUP $(cat server.pid); curl -s http://127.0.0.1:{port}/; kill -QUIT $(cat server.pid)";
    vec![
        script("nginx", SERVER)
            .prepared(inputs::text)
            .needs("/usr/sbin/nginx", "nginx-light")
            .needs("curl", "curl")
            .beside(CLIENTS)
            .varies(),
    ]
}

fn memcached() -> Vec<Case> {
    const SERVER: &str = "echo $$ >server.pid; exec memcached -u root -l 127.0.0.1 -p {port} -t 4 -vv";
    vec![
        script("memcached", SERVER)
            .prepared(inputs::scripts)
            .needs("memcached", "memcached")
            .needs("python3", "python3")
            .beside("python3 memcached_client.py {port}"),
    ]
}
