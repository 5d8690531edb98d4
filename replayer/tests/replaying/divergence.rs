//! A replay that asks for something else than was recorded stops and says so.

use crate::{FAILED, Place, altered, text};

/// Records a shell that reads a file of the test's own and exits with `status`; gives the file's path.
fn record_reader(place: &Place, status: i32) -> String {
    let input = place.path("input-one");
    std::fs::write(&input, "contents\n").unwrap();
    let input = input.to_str().unwrap().to_owned();
    let script = format!("read line < {input}; echo $line; exit {status}");
    let recorded = place.record(&["sh", "-c", &script]);
    assert_eq!(recorded.status.code(), Some(status), "{}", text(&recorded.stderr));
    assert_eq!(text(&recorded.stdout), "contents\n");
    input
}

#[test]
fn the_report_says_where_what_was_expected_and_what_happened() {
    let place = Place::new();
    let input = record_reader(&place, 0);
    let other = input.replace("input-one", "input-two");
    altered::replace_in_calls(&place.trace(), &input, &other);
    let replayed = place.replay();
    let report = text(&replayed.stderr);
    assert_eq!(replayed.status.code(), FAILED, "{report}");
    assert_eq!(text(&replayed.stdout), "");
    for words in ["diverged", "stream 0", "event ", &input, &other, "backtrace:", "#0 ", "libc.so.6"] {
        assert!(report.contains(words), "{words} is not in:\n{report}");
    }
}

#[test]
fn the_status_is_never_the_recorded_programs() {
    let place = Place::new();
    let input = record_reader(&place, 125);
    assert_eq!(place.replay().status.code(), Some(125));
    altered::replace_in_calls(&place.trace(), &input, &input.replace("input-one", "input-two"));
    assert_eq!(place.replay().status.code(), Some(124));
}
