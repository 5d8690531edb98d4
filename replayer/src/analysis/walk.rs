//! Going through a trace with what descriptors stand for.

use super::call::Call;
use super::family::Family;
use super::objects::{Change, Object, Objects};
use super::order::{CausalEvents, created_streams};
use super::recording::Recording;
use super::transfer::{Direction, Transfer, transfers};
use anyhow::Result;
use tracer_core::syscalls::Type;
use tracer_core::trace::reader::{Body, Event, Item};

/// An event and what it means.
pub struct Seen<'a> {
    /// The stream that it is in.
    pub stream: u32,
    /// The event.
    pub event: &'a Event,
    /// The call that it is.
    pub call: Option<Call<'a>>,
    /// What the call was about: the object of its first descriptor, or the file that it names first.
    pub object: Option<usize>,
    /// The data that it moved.
    pub moved: Vec<Moved<'a>>,
    /// What it did to a file as a whole.
    pub change: Option<Change>,
}

/// Data that went from or to an object.
pub struct Moved<'a> {
    /// Which.
    pub object: usize,
    /// Where in it: in a file the offset, else how many bytes went the same way before.
    pub offset: u64,
    /// The data.
    pub transfer: Transfer<'a>,
}

/// Calls `visit` with every event of a trace, in a possible order, and all objects met so far. Ends early, without an
/// error, if `visit` gives false.
pub fn walk(
    recording: &Recording,
    family: &Family,
    mut visit: impl FnMut(&Seen, &Objects) -> Result<bool>,
) -> Result<Objects> {
    let mut objects = Objects::default();
    let mut events = CausalEvents::new(recording, family);
    while let Some(event) = events.next() {
        let (stream, mut event) = event?;
        let leader = family.leader(stream);
        if let Some(pipe) = reads_ahead(&objects, leader, &event) {
            let writes = |other| other != leader && objects.has(other, pipe);
            let Some(possible) = events.put_off(stream, event, leader, writes) else { continue };
            event = possible;
        }
        let seen = see(&mut objects, family, leader, stream, &event);
        if !visit(&seen, &objects)? {
            break;
        }
    }
    Ok(objects)
}

/// The pipe that a call has read more from than was written to it.
fn reads_ahead(objects: &Objects, leader: u32, event: &Event) -> Option<usize> {
    let call = Call::of(event).filter(|call| !call.entered)?;
    let descriptor = call.first_descriptor()?;
    let (pipe, written) = objects.unread(leader, descriptor)?;
    let reads =
        |transfer: &&Transfer| transfer.direction == Direction::Read && transfer.descriptor == descriptor;
    let read: u64 = transfers(&call).iter().filter(reads).map(Transfer::length).sum();
    (read > written).then_some(pipe)
}

fn see<'a>(objects: &mut Objects, family: &Family, leader: u32, stream: u32, event: &'a Event) -> Seen<'a> {
    let mut seen = Seen { stream, event, call: None, object: None, moved: Vec::new(), change: None };
    if let Body::Start { items } = &event.body {
        let directory = items.iter().find_map(|item| match item {
            Item::Directory { path } => Some(path),
            _ => None,
        });
        objects.begin(leader, directory.unwrap_or_default());
    }
    let Some(call) = Call::of(event) else { return seen };
    let is_file = |objects: &Objects, object| objects.get(object).is_some_and(Object::is_file);
    if !call.entered {
        for transfer in transfers(&call) {
            let object = objects.object(leader, transfer.descriptor);
            let (length, writes) = (transfer.length(), transfer.direction == Direction::Written);
            let offset = match transfer.offset {
                Some(offset) if is_file(objects, object) => offset,
                _ => objects.advance(leader, transfer.descriptor, writes, length),
            };
            seen.moved.push(Moved { object, offset, transfer });
        }
    }
    seen.object = subject(objects, leader, &call);
    // A connection that is being made is one.
    let connecting = call.number == libc::SYS_connect && call.result == -i64::from(libc::EINPROGRESS);
    if call.succeeded() || connecting {
        seen.change = objects.apply(leader, &call);
        for created in created_streams(event) {
            if family.members.get(&created).is_some_and(|member| !member.is_thread) {
                objects.fork(leader, created);
            }
        }
        // Now it is known what was made.
        if call.makes_descriptor() {
            seen.object = Some(objects.object(leader, call.result as i32));
        }
    }
    seen.call = Some(call);
    seen
}

fn subject(objects: &mut Objects, leader: u32, call: &Call) -> Option<usize> {
    if call.makes_descriptor() {
        return None;
    }
    if let Some(descriptor) = call.first_descriptor() {
        // mmap has -1 for no file.
        return (descriptor >= 0).then(|| objects.object(leader, descriptor));
    }
    let arguments = call.row()?.arguments;
    let path = arguments.iter().position(|argument| matches!(argument.kind, Type::Path))?;
    let directory = path.checked_sub(1);
    let directory = directory.filter(|at| matches!(arguments[*at].kind, Type::DirectoryDescriptor));
    objects.named(leader, call, directory, path as u8)
}
