//! Chrome's trace format, which Perfetto (ui.perfetto.dev), Chrome and Speedscope open: one step is a microsecond.

use super::super::family::Family;
use super::super::recording::Recording;
use super::chart::chart;
use anyhow::Result;
use serde_json::json;
use std::io::Write;

/// Writes all events.
pub fn write(recording: &Recording, family: &Family, out: &mut impl Write) -> Result<()> {
    writeln!(out, "{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
    for (stream, member) in &family.members {
        let (process, thread) = (family.leader(*stream), stream);
        let name = format!("{} {}", member.thread, member.short_name());
        for (kind, shown) in [("thread_name", !0), ("process_name", process)] {
            // A process has the name of its first thread.
            if shown == !0 || shown == *stream {
                let row = json!({ "ph": "M", "name": kind, "pid": process, "tid": thread, "args": { "name": name } });
                writeln!(out, "{row},")?;
            }
        }
    }
    let mut flows = 0_u64;
    chart(recording, family, |mark| {
        let (pid, tid, ts) = (mark.leader, mark.place.stream, mark.step);
        if let Some((from, step)) = mark.handed_over {
            flows += 1;
            for (ph, tid, ts) in [("s", from, step), ("f", tid, ts)] {
                let row = json!({
                    "ph": ph, "bp": "e", "id": flows, "name": "hand-over", "cat": "order", "pid": pid, "tid": tid, "ts": ts,
                });
                writeln!(out, "{row},")?;
            }
        }
        let row = json!({
            "ph": "X", "name": mark.name, "cat": mark.category.name(), "pid": pid, "tid": tid, "ts": ts, "dur": 1,
            "args": { "event": mark.place, "text": mark.text, "failed": mark.failed },
        });
        writeln!(out, "{row},")?;
        Ok(())
    })?;
    // A list of JSON ends without a comma.
    let end = json!({ "ph": "M", "name": "trace", "pid": 0, "tid": 0, "args": { "recorded by": "imitate" } });
    writeln!(out, "{end}]}}")?;
    Ok(())
}
