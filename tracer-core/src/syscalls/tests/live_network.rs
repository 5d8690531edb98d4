//! Real calls about sockets and waiting for them.

use super::arena::Arena;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

fn pair(arena: &mut Arena, kind: i32) -> (u64, u64) {
    let both = arena.space(8);
    arena.succeed(libc::SYS_socketpair, &[libc::AF_UNIX as u64, kind as u64, 0, both]);
    (arena.int(both) as u64, arena.int(both + 4) as u64)
}

fn close(arena: &mut Arena, sockets: (u64, u64)) {
    arena.succeed(libc::SYS_close, &[sockets.0]);
    arena.succeed(libc::SYS_close, &[sockets.1]);
}

#[test]
fn names_of_sockets_are_cut_to_their_capacity() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let client =
        std::net::TcpStream::connect(listener.local_addr().expect("its address")).expect("a listener");
    let mut arena = Arena::new();
    for capacity in [0, 4, 16, 100] {
        let (name, length) = (arena.space(100), arena.ints(&[capacity]));
        arena.succeed(libc::SYS_getsockname, &[client.as_raw_fd() as u64, name, length]);
        assert_eq!(arena.int(length), 16);
        let (peer, length) = (arena.space(100), arena.ints(&[capacity]));
        arena.succeed(libc::SYS_getpeername, &[client.as_raw_fd() as u64, peer, length]);
    }
    let (name, length) = (arena.space(28), arena.ints(&[28]));
    let accepted = arena.succeed(libc::SYS_accept4, &[listener.as_raw_fd() as u64, name, length, 0]);
    arena.succeed(libc::SYS_close, &[accepted as u64]);
}

#[test]
fn options_of_sockets() {
    let (one, _two) = UnixStream::pair().expect("a pair");
    let fd = one.as_raw_fd() as u64;
    let mut arena = Arena::new();
    for (option, capacity) in
        [(libc::SO_TYPE, 4), (libc::SO_TYPE, 2), (libc::SO_PEERCRED, 100), (libc::SO_LINGER, 8)]
    {
        let (value, length) = (arena.space(100), arena.ints(&[capacity]));
        let level = libc::SOL_SOCKET as u64;
        arena.succeed(libc::SYS_getsockopt, &[fd, level, option as u64, value, length]);
    }
}

#[test]
fn datagrams_that_are_too_long() {
    let (one, two) = UnixDatagram::pair().expect("a pair");
    let mut arena = Arena::new();
    one.send(&[7; 100]).expect("room for a datagram");
    let buffer = arena.space(20);
    let (name, length) = (arena.space(110), arena.ints(&[110]));
    let truncated = libc::MSG_TRUNC as u64;
    let fd = two.as_raw_fd() as u64;
    assert_eq!(arena.succeed(libc::SYS_recvfrom, &[fd, buffer, 20, truncated, name, length]), 100);
    one.send(&[8; 10]).expect("room for a datagram");
    assert_eq!(arena.succeed(libc::SYS_recvfrom, &[fd, buffer, 20, 0, 0, 0]), 10);
}

#[test]
fn messages_with_descriptors() {
    let mut arena = Arena::new();
    let sockets = pair(&mut arena, libc::SOCK_STREAM);
    let text = arena.text("with a descriptor");
    let vector = arena.words(&[text, 17]);
    let rights = arena.words(&[20, 1 | 1 << 32, sockets.0]);
    let header = arena.words(&[0, 0, vector, 1, rights, 20, 0]);
    assert_eq!(arena.succeed(libc::SYS_sendmsg, &[sockets.0, header, 0]), 17);

    let (first, second) = (arena.space(7), arena.space(40));
    let vector = arena.words(&[first, 7, second, 40]);
    let (name, control) = (arena.space(110), arena.space(64));
    let header = arena.words(&[name, 110, vector, 2, control, 64, 0]);
    assert_eq!(arena.succeed(libc::SYS_recvmsg, &[sockets.1, header, 0]), 17);
    let received = arena.int(control + 16);
    assert!(received > 2, "a descriptor came along");
    arena.succeed(libc::SYS_close, &[received as u64]);
    close(&mut arena, sockets);
}

#[test]
fn several_messages_at_once() {
    let mut arena = Arena::new();
    let sockets = pair(&mut arena, libc::SOCK_DGRAM);
    let text = arena.text("one after the other");
    let vector = arena.words(&[text, 19]);
    let item = [0, 0, vector, 1, 0, 0, 0, 0];
    let items = arena.words(&[item, item].concat());
    assert_eq!(arena.succeed(libc::SYS_sendmmsg, &[sockets.0, items, 2, 0]), 2);

    let (first, second) = (arena.space(30), arena.space(5));
    let vectors = (arena.words(&[first, 30]), arena.words(&[second, 5]));
    let (name, other) = (arena.space(110), arena.space(110));
    let items = arena.words(&[name, 110, vectors.0, 1, 0, 0, 0, 0, other, 110, vectors.1, 1, 0, 0, 0, 0]);
    assert_eq!(arena.succeed(libc::SYS_recvmmsg, &[sockets.1, items, 2, libc::MSG_DONTWAIT as u64, 0]), 2);
    assert_eq!((arena.int(items + 56), arena.int(items + 64 + 56)), (19, 5));
    close(&mut arena, sockets);
}

#[test]
fn waiting_for_readiness() {
    let mut arena = Arena::new();
    let sockets = pair(&mut arena, libc::SOCK_STREAM);
    let text = arena.text("x");
    arena.succeed(libc::SYS_write, &[sockets.0, text, 1]);

    let entry = sockets.1 | (libc::POLLIN as u64) << 32;
    let fds = arena.words(&[entry, entry]);
    assert_eq!(arena.succeed(libc::SYS_poll, &[fds, 2, 0]), 2);
    let timeout = arena.words(&[10, 0]);
    assert_eq!(arena.succeed(libc::SYS_ppoll, &[fds, 2, timeout, 0, 8]), 2);

    let mut set = vec![0; sockets.1 as usize / 64 + 1];
    set[sockets.1 as usize / 64] = 1 << (sockets.1 % 64);
    let (read, written, timeout) = (arena.words(&set), arena.words(&set), arena.words(&[10, 0]));
    assert_eq!(arena.succeed(libc::SYS_select, &[sockets.1 + 1, read, written, 0, timeout]), 2);
    assert_eq!(arena.succeed(libc::SYS_pselect6, &[sockets.1 + 1, read, 0, 0, timeout, 0]), 1);

    let epoll = arena.succeed(libc::SYS_epoll_create1, &[0]) as u64;
    let event = arena.bytes(&[libc::EPOLLIN as u8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    arena.succeed(libc::SYS_epoll_ctl, &[epoll, libc::EPOLL_CTL_ADD as u64, sockets.1, event]);
    let events = arena.space(120);
    assert_eq!(arena.succeed(libc::SYS_epoll_wait, &[epoll, events, 10, 0]), 1);
    assert_eq!(arena.succeed(libc::SYS_epoll_pwait2, &[epoll, events, 10, 0, 0, 8]), 1);
    arena.succeed(libc::SYS_close, &[epoll]);
    close(&mut arena, sockets);
}

#[test]
fn interfaces() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
    let fd = socket.as_raw_fd() as u64;
    let mut arena = Arena::new();
    let list = arena.space(400);
    let request = arena.words(&[400, list]);
    arena.succeed(libc::SYS_ioctl, &[fd, libc::SIOCGIFCONF, request]);
    assert_eq!(arena.int(request) % 40, 0);
    let mut loopback = [0; 40];
    loopback[..2].copy_from_slice(b"lo");
    let loopback = arena.bytes(&loopback);
    arena.succeed(libc::SYS_ioctl, &[fd, libc::SIOCGIFFLAGS, loopback]);
}
