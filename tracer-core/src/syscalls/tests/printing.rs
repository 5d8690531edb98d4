//! Calls as text.

use super::mock::{Mock, row};
use super::printed;
use crate::syscalls::print::{errno_name, signal_name};

fn text(name: &str, a: [u64; 6], result: i64, m: &Mock) -> String {
    printed(row(name), &a, Some(result), m)
}

#[test]
fn files() {
    let m =
        Mock::default().with(0x1000, b"/etc/passwd\0").with(0x2000, b"root:x:0:0:root:/root:/bin/bash\nd\n");
    let here = libc::AT_FDCWD as u64;
    assert_eq!(
        text("openat", [here, 0x1000, libc::O_CLOEXEC as u64, 0, 0, 0], 3, &m),
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3"
    );
    let create = (libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC) as u64;
    assert_eq!(
        text("openat", [here as u32 as u64, 0x1000, create, 0o644, 0, 0], -2, &m),
        "openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 ENOENT (No such file or directory)"
    );
    assert_eq!(
        text("read", [3, 0x2000, 4096, 0, 0, 0], 34, &m),
        "read(3, \"root:x:0:0:root:/root:/bin/bash\\n\"..., 4096) = 34"
    );
    assert_eq!(text("read", [3, 0x2000, 4096, 0, 0, 0], 4, &m), "read(3, \"root\", 4096) = 4");
    assert_eq!(
        text("read", [3, 0x2000, 4096, 0, 0, 0], -11, &m),
        "read(3, 0x2000, 4096) = -1 EAGAIN (Resource temporarily unavailable)"
    );
    assert_eq!(text("write", [1, 0x9000, 5, 0, 0, 0], 5, &m), "write(1, 0x9000, 5) = 5");
    assert_eq!(text("access", [0x1000, 0, 0, 0, 0, 0], 0, &m), "access(\"/etc/passwd\", F_OK) = 0");
    assert_eq!(text("access", [0x1000, 5, 0, 0, 0, 0], 0, &m), "access(\"/etc/passwd\", R_OK|X_OK) = 0");
    assert_eq!(printed(row("read"), &[3, 0x2000, 4096, 0, 0, 0], None, &m), "read(3, 0x2000, 4096)");
    assert_eq!(printed(row("write"), &[1, 0x2000, 4, 0, 0, 0], None, &m), "write(1, \"root\", 4)");
}

#[test]
fn structures() {
    let mut stat = [0; 144];
    stat[24..28].copy_from_slice(&(libc::S_IFREG | 0o644).to_le_bytes());
    stat[48] = 200;
    let m = Mock::default()
        .with(0x1000, &stat)
        .words(0x2000, &[1, 500])
        .with(0x3000, &[24, 0, 80, 0, 0, 0, 0, 0]);
    assert_eq!(
        text("fstat", [3, 0x1000, 0, 0, 0, 0], 0, &m),
        "fstat(3, {st_mode=S_IFREG|0644, st_size=200, st_ino=0, st_nlink=0, st_uid=0, st_gid=0, st_mtime=0}) = 0"
    );
    assert_eq!(
        text("fstat", [3, 0x1000, 0, 0, 0, 0], -9, &m),
        "fstat(3, 0x1000) = -1 EBADF (Bad file descriptor)"
    );
    assert_eq!(
        text("clock_gettime", [1, 0x2000, 0, 0, 0, 0], 0, &m),
        "clock_gettime(CLOCK_MONOTONIC, {tv_sec=1, tv_nsec=500}) = 0"
    );
    assert_eq!(
        text("nanosleep", [0x2000, 0, 0, 0, 0, 0], 0, &m),
        "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0"
    );
    assert_eq!(
        text("ioctl", [0, libc::TIOCGWINSZ, 0x3000, 0, 0, 0], 0, &m),
        "ioctl(0, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0"
    );
    assert_eq!(
        text("ioctl", [0, 0xc008_ae01, 0x9000, 0, 0, 0], -25, &m),
        "ioctl(0, _IOC(_IOC_READ|_IOC_WRITE, 0xae, 0x1, 0x8), 0x9000) = -1 ENOTTY (Inappropriate ioctl for device)"
    );
}

#[test]
fn commands_show_only_their_own_arguments() {
    let m = Mock::default();
    assert_eq!(text("fcntl", [3, 1, 0x77, 0, 0, 0], 1, &m), "fcntl(3, F_GETFD) = 1");
    assert_eq!(text("fcntl", [3, 2, 1, 0, 0, 0], 0, &m), "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
    assert_eq!(
        text("futex", [0x1000, 0x81, 1, 7, 8, 9], 1, &m),
        "futex(0x1000, FUTEX_WAKE|FUTEX_PRIVATE_FLAG, 1) = 1"
    );
    assert_eq!(
        text("madvise", [0x1000, 4096, 4, 0, 0, 0], 0, &m),
        "madvise(0x1000, 4096, MADV_DONTNEED) = 0"
    );
}

#[test]
fn memory() {
    let m = Mock::default();
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    assert_eq!(
        text("mmap", [0, 8192, 3, flags, u64::MAX, 0], 0x7f00_0000_0000, &m),
        "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000"
    );
    assert_eq!(text("mprotect", [0x1000, 4096, 0, 0, 0, 0], 0, &m), "mprotect(0x1000, 4096, PROT_NONE) = 0");
    assert_eq!(text("brk", [0, 0, 0, 0, 0, 0], 0x5555_0000, &m), "brk(NULL) = 0x55550000");
}

#[test]
fn sockets() {
    let internet = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let m = Mock::default()
        .with(0x1000, &internet)
        .with(0x2000, b"\x01\0/run/socket\0")
        .words(0x3000, &[0x4000, 5])
        .with(0x4000, b"hello")
        .words(0x5000, &[20, 1 | 1 << 32, 4])
        .words(0x6000, &[0, 0, 0x3000, 1, 0x5000, 24, 0])
        .words(0x7000, &[3 | 1 << 32, 4 | (0x10001 << 32)]);
    assert_eq!(
        text("connect", [3, 0x1000, 16, 0, 0, 0], 0, &m),
        "connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0"
    );
    assert_eq!(
        text("bind", [3, 0x2000, 14, 0, 0, 0], 0, &m),
        "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/socket\"}, 14) = 0"
    );
    assert_eq!(
        text("socket", [2, 0x80001, 6, 0, 0, 0], 3, &m),
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3"
    );
    assert_eq!(
        text("setsockopt", [3, 1, 2, 0x7000, 4, 0], 0, &m),
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, \"\\3\\0\\0\\0\", 4) = 0"
    );
    assert_eq!(
        text("writev", [1, 0x3000, 1, 0, 0, 0], 5, &m),
        "writev(1, [{iov_base=\"hello\", iov_len=5}], 1) = 5"
    );
    assert_eq!(
        text("sendmsg", [3, 0x6000, 0x4000, 0, 0, 0], 5, &m),
        "sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"hello\", iov_len=5}], msg_iovlen=1, \
         msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[4]}], \
         msg_controllen=24, msg_flags=0}, MSG_NOSIGNAL) = 5"
    );
    assert_eq!(
        text("poll", [0x7000, 2, u64::MAX, 0, 0, 0], 1, &m),
        "poll([{fd=3, events=POLLIN, revents=0}, {fd=4, events=POLLIN, revents=POLLIN}], 2, -1) = 1"
    );
}

#[test]
fn processes() {
    let m = Mock::default()
        .with(0x1000, b"/bin/ls\0-l\0A=1\0")
        .words(0x2000, &[0x1000, 0x1008, 0])
        .words(0x3000, &[0x100b, 0])
        .with(0x4000, &[0, 3, 0, 0])
        .words(0x5000, &[1 << 16 | 2]);
    assert_eq!(
        text("execve", [0x1000, 0x2000, 0x3000, 0, 0, 0], 0, &m),
        "execve(\"/bin/ls\", [\"/bin/ls\", \"-l\"], 0x3000 /* 1 vars */) = 0"
    );
    assert_eq!(
        text("wait4", [u64::MAX, 0x4000, 1, 0, 0, 0], 77, &m),
        "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WNOHANG, NULL) = 77"
    );
    assert_eq!(
        text("rt_sigprocmask", [0, 0x5000, 0, 8, 0, 0], 0, &m),
        "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0"
    );
    assert_eq!(text("kill", [5, 15, 0, 0, 0, 0], 0, &m), "kill(5, SIGTERM) = 0");
}

#[test]
fn names_of_errors_and_signals() {
    assert_eq!(errno_name(libc::ENOSYS), "ENOSYS");
    assert_eq!(errno_name(131), "ENOTRECOVERABLE");
    assert_eq!(errno_name(512), "errno 512");
    for error in 1..=133 {
        let named = errno_name(error);
        // 41 and 58 were never given out.
        assert_eq!(named.starts_with("errno"), error == 41 || error == 58, "{error}");
    }
    assert_eq!(signal_name(libc::SIGSEGV), "SIGSEGV");
    assert_eq!(signal_name(34), "SIGRT_2");
    assert_eq!(signal_name(65), "65");
    for signal in 1..=64 {
        assert!(signal_name(signal).starts_with("SIG"), "{signal}");
    }
}
