//! Servers: a client that is not recorded says how many requests a second were answered, and how soon.

use super::Command::{Installed, Own, Served};
use super::Target::Ratio;
use super::inputs::program;
use super::{Command, Workload};
use std::fs;
use std::io::Result;
use std::path::Path;

// The latencies are those of GET; CSV has them in milliseconds.
const REDIS: &str = "redis-benchmark -p 7391 -t set,get -n 100000 --csv | awk -F '\"' '$2 == \"GET\" {
    printf \"{\\\"requests_per_second\\\": %s, \\\"p50_microseconds\\\": %f, \\\"p99_microseconds\\\": %f}\\n\",
        $4, $10 * 1000, $14 * 1000 }'
redis-cli -p 7391 shutdown nosave";
const MEMCACHED: &str = "/usr/bin/python3 client.py memcached 7392 4 120000";
const NGINX: &str = "/usr/bin/python3 client.py http 7393 4 20000 && kill -QUIT $(cat server.pid)";
const ECHO: &str = "/usr/bin/python3 client.py echo 7394 4 60000";
const NGINX_CONFIGURATION: &str = "daemon off; worker_processes 2; error_log stderr; pid server.pid;
events { worker_connections 64; }
http {
    access_log off; sendfile on; keepalive_requests 1000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server { listen 127.0.0.1:7393; root .; }
}
";

pub fn rows() -> Vec<Workload> {
    let served = |name, server: Command, client| {
        Workload::new(name, Served(Box::new(server), client))
            .prepared(|directory| program(directory, "client.py"))
            .needs("/usr/bin/python3", "python3")
    };
    vec![
        // 0.80 of the throughput.
        served("redis, set and get", Installed("redis-server --port 7391 --save  --appendonly no"), REDIS)
            .needs("redis-server", "redis-server")
            .needs("redis-benchmark", "redis-tools")
            .within(Ratio(1.0 / 0.80))
            .quick(),
        // 0.75 of the throughput. With its workers on one processor it has less by itself.
        served("memcached, set and get", Installed("memcached -A -u root -l 127.0.0.1 -p 7392"), MEMCACHED)
            .needs("memcached", "memcached")
            .within(Ratio(1.0 / 0.75))
            .of_one_processor(1.0 / 0.75),
        // 0.92 of the throughput. The LRU maintainer reads the time without a lock, once a second.
        served(
            "memcached -t 2, set and get",
            Installed("memcached -A -t 2 -o no_lru_maintainer -u root -l 127.0.0.1 -p 7392"),
            MEMCACHED,
        )
        .needs("memcached", "memcached")
        .in_sync()
        .within(Ratio(1.0 / 0.92)),
        served("nginx, a page of 1 kB", Installed("/usr/sbin/nginx -p . -c nginx.conf"), NGINX)
            .prepared(nginx)
            .needs("/usr/sbin/nginx", "nginx-light"),
        served("echo server, epoll", Own("echo_server.c", "", "7394".into()), ECHO),
    ]
}

fn nginx(directory: &Path) -> Result<()> {
    program(directory, "client.py")?;
    // It would give up the rights of root, and not find its files.
    let user = if is_root()? { "user root; " } else { "" };
    fs::write(directory.join("nginx.conf"), format!("{user}{NGINX_CONFIGURATION}"))?;
    fs::write(directory.join("page"), format!("{:1016}the end\n", "a page"))
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
