//! What the tool says on stderr, where programs write too: each message is one write(2), so that nothing comes in between.

use crate::{Place, altered, imitate, text};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

/// What the tool and a program write to stderr, each write(2) by itself: a datagram keeps them apart.
fn writes(place: &Place, arguments: &[&str]) -> Vec<String> {
    let (here, there) = UnixDatagram::pair().unwrap();
    let mut command = imitate();
    command.env("IMITATE_DIR", place.path("storage")).args(arguments).stderr(OwnedFd::from(there));
    command.output().unwrap();
    here.set_nonblocking(true).unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut received = || match here.recv(&mut buffer) {
        Ok(length) => Some(text(&buffer[..length])),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            None
        }
    };
    std::iter::from_fn(&mut received).collect()
}

/// Panics unless each is a message of the tool's that begins so.
fn assert_messages(writes: &[String], beginnings: &[&str]) {
    assert_eq!(writes.len(), beginnings.len(), "{writes:#?}");
    for (message, beginning) in writes.iter().zip(beginnings) {
        assert!(message.starts_with(&format!("imitate: {beginning}")), "{writes:#?}");
        assert!(message.ends_with('\n'), "{writes:#?}");
    }
}

#[test]
fn a_message_is_one_write() {
    let place = Place::new();
    let said = writes(&place, &["record", "--verbose", "--chaos=7", "--", "true"]);
    assert_messages(&said, &["chaos seed 7\n", place.path("storage/true-1: ").to_str().unwrap()]);
    let said = writes(&place, &["hunt", "-n", "1", "--", "false"]);
    assert_messages(&said, &["run 1 of 1, chaos seed ", "to replay it: imitate replay false-1\n"]);
    assert_messages(&writes(&place, &["replay", "nowhere-1"]), &["there is no trace nowhere-1, "]);
}

#[test]
fn a_report_is_one_write() {
    let place = Place::new();
    assert!(place.record(&["sh", "-c", ": < /dev/null"]).status.success());
    altered::replace_in_calls(&place.trace(), "/dev/null", "/dev/zero");
    assert_messages(&writes(&place, &["replay", place.trace().to_str().unwrap()]), &[""]);
}
