//! `timeline`.

use super::{ask, record_script, rows};
use crate::Place;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::Read;

const SCRIPT: &str = "
import subprocess, threading
def work():
    subprocess.run(['echo', '</script><b>bold'])
thread = threading.Thread(target=work)
thread.start()
subprocess.run(['true'])
thread.join()
";

/// Writes a picture; gives it.
fn picture(place: &Place, name: &str) -> String {
    let path = place.path(name);
    ask(place, &["timeline", "--output", path.to_str().unwrap()]);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn perfetto_gets_lanes_events_and_hand_overs() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let trace: Value = serde_json::from_str(&picture(&place, "picture.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |ph: &str| events.iter().filter(|event| event["ph"] == ph).collect::<Vec<_>>();
    let shown = rows(&place, &["dump", "--json"]);
    let shown = shown.iter().filter(|event| event["kind"] != "turn" && event["kind"] != "check");
    assert_eq!(of("X").len(), shown.count());
    // Two threads in one process, and two children.
    let lanes = of("M").into_iter().filter(|event| event["name"] == "thread_name").collect::<Vec<_>>();
    assert_eq!(lanes.len(), 4);
    assert!(!of("s").is_empty() && of("s").len() == of("f").len(), "the threads take turns");
    // Later is to the right: in every lane, and from a parent to its children and back.
    let steps = |fits: &dyn Fn(&Value) -> bool| -> Vec<u64> {
        of("X").into_iter().filter(|event| fits(event)).map(|event| event["ts"].as_u64().unwrap()).collect()
    };
    let lanes: Vec<Vec<u64>> = (0..4).map(|stream| steps(&|event| event["tid"] == stream)).collect();
    assert!(lanes.iter().all(|lane| lane.is_sorted() && !lane.is_empty()));
    for child in [2, 3] {
        let created = format!("<stream {child}>");
        let created = steps(&|event| event["args"]["text"].as_str().unwrap().contains(&created));
        assert!(created[0] < lanes[child][0]);
    }
    let waits = steps(&|event| event["name"] == "wait4");
    assert!(waits.last() > lanes[2].last() || waits.last() > lanes[3].last());
}

#[test]
fn a_page_has_all_data_in_itself() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let page = picture(&place, "picture.html");
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, rest) = data.split_once("</script>").unwrap();
    assert!(!rest.contains("bold"), "data end where they should");
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("http://"));
    let data: Value = serde_json::from_str(data).unwrap();
    let unpacked = |packed: &Value| {
        let mut bytes = Vec::new();
        let packed = STANDARD.decode(packed.as_str().unwrap()).unwrap();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let lanes = data["lanes"].as_array().unwrap();
    assert_eq!(lanes.len(), 4);
    let mut found = false;
    for lane in lanes {
        let count = lane["count"].as_u64().unwrap() as usize;
        assert_eq!(unpacked(&lane["steps"]).len(), 4 * count);
        assert_eq!(unpacked(&lane["events"]).len(), 4 * count);
        assert_eq!(unpacked(&lane["categories"]).len(), count);
        assert_eq!(unpacked(&lane["names"]).len(), 2 * count);
        let texts: Vec<u8> = lane["texts"].as_array().unwrap().iter().flat_map(unpacked).collect();
        assert_eq!(texts.iter().filter(|byte| **byte == b'\n').count(), count);
        found |= String::from_utf8(texts).unwrap().contains("</script><b>bold");
    }
    assert!(found && unpacked(&data["hand_overs"]).len() % 16 == 0);
}
