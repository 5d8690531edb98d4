//! What descriptors stand for: files, pipes, sockets and so on, followed through open, dup, fork, exec and close.

mod effects;
mod names;
mod table;

pub use effects::Change;
pub use names::address;

use ahash::{HashMap, RandomState};
use bytes::Bytes;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use table::{Descriptor, Table};

/// What sort of thing is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Opened by its path.
    File,
    /// A pipe without a name.
    Pipe,
    /// A socket.
    Socket,
    /// A file in memory without a path.
    Memory,
    /// What the kernel tells of: eventfd, epoll, inotify and so on.
    Kernel,
    /// Open since before the recording began: standard input, output, error.
    Standard,
    /// How it came to be is not in the trace.
    Unknown,
}

impl Sort {
    /// As it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Sort::File => "file",
            Sort::Pipe => "pipe",
            Sort::Socket => "socket",
            Sort::Memory => "memory",
            Sort::Kernel => "kernel",
            Sort::Standard => "standard",
            Sort::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Sort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that a program had open, or named.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is.
    pub sort: Sort,
    /// A path, addresses, or what else tells it from others. Clones share the bytes: names are the most of what there is in
    /// memory of a program that looks at many files.
    pub name: Bytes,
    /// It was opened as a directory without following a link: `..` in it is where its name says that it is.
    directory: bool,
    /// How often it was opened.
    pub opened: u64,
    /// Bytes that it has, as far as the program has shown: of files only.
    pub size: u64,
    /// Bytes that went each way (to the program, from the program): of all but files.
    moved: [u64; 2],
}

impl Object {
    fn new(sort: Sort, name: Vec<u8>) -> Object {
        Object { sort, name: name.into(), directory: false, opened: 0, size: 0, moved: [0; 2] }
    }

    /// Whether its bytes have places. Others are streams.
    pub fn is_file(&self) -> bool {
        matches!(self.sort, Sort::File | Sort::Memory)
    }
}

/// What `open` gives: a place in an object.
#[derive(Clone, Debug)]
struct Open {
    object: usize,
    position: u64,
    appends: bool,
}

/// All objects of a trace, and which descriptors of which process they are now.
#[derive(Default)]
pub struct Objects {
    list: Vec<Object>,
    opens: Vec<Open>,
    /// Files that are at a path now, with the hashes of what they are called. (A map would have each name a second time.)
    paths: HashTable<(u64, usize)>,
    hasher: RandomState,
    /// By the first stream of a process.
    tables: HashMap<u32, Table>,
    pipes: u64,
}

impl Objects {
    /// The object with this number.
    pub fn get(&self, object: usize) -> Option<&Object> {
        self.list.get(object)
    }

    /// All, in the order in which they were met.
    pub fn list(&self) -> &[Object] {
        &self.list
    }

    /// What `descriptor` is in the process of `leader`. One whose beginning the trace does not show is taken in.
    pub fn object(&mut self, leader: u32, descriptor: i32) -> usize {
        let open = self.open(leader, descriptor);
        self.opens[open].object
    }

    /// Where in the object `length` bytes are that are moved next through `descriptor`, which thereby moves on: the
    /// offset in a file, else how many bytes went the same way before.
    pub fn advance(&mut self, leader: u32, descriptor: i32, writes: bool, length: u64) -> u64 {
        let open = self.open(leader, descriptor);
        let open = &mut self.opens[open];
        let object = &mut self.list[open.object];
        if !object.is_file() {
            let moved = &mut object.moved[usize::from(writes)];
            return std::mem::replace(moved, moved.saturating_add(length));
        }
        let at = if writes && open.appends { object.size } else { open.position };
        open.position = at.saturating_add(length);
        object.size = object.size.max(open.position);
        at
    }

    /// The pipe that `descriptor` is in the process of `leader`, and how many bytes in it were not read.
    pub fn unread(&self, leader: u32, descriptor: i32) -> Option<(usize, u64)> {
        let open = self.tables.get(&leader)?.get(descriptor)?.open;
        let pipe = self.opens[open].object;
        let Object { sort: Sort::Pipe, moved: [read, written], .. } = self.list[pipe] else { return None };
        Some((pipe, written.saturating_sub(read)))
    }

    /// Whether a descriptor of the process of `leader` is `object`.
    pub fn has(&self, leader: u32, object: usize) -> bool {
        let table = self.tables.get(&leader);
        table.is_some_and(|table| table.opens().any(|open| self.opens[open].object == object))
    }

    fn open(&mut self, leader: u32, descriptor: i32) -> usize {
        if let Some(known) = self.table(leader).get(descriptor) {
            return known.open;
        }
        let name = format!("descriptor {descriptor} of the process of stream {leader}").into_bytes();
        let open = self.make(Sort::Unknown, name);
        self.table(leader).set(descriptor, Descriptor { open, closes_on_exec: false });
        open
    }

    fn table(&mut self, leader: u32) -> &mut Table {
        self.tables.entry(leader).or_default()
    }

    /// A new object, open.
    fn make(&mut self, sort: Sort, name: Vec<u8>) -> usize {
        self.list.push(Object { opened: 1, ..Object::new(sort, name) });
        self.open_object(self.list.len() - 1, false)
    }

    fn open_object(&mut self, object: usize, appends: bool) -> usize {
        self.opens.push(Open { object, position: 0, appends });
        self.opens.len() - 1
    }

    /// The file at `path`, which need not have been met before.
    fn file(&mut self, path: Vec<u8>) -> usize {
        let Objects { list, paths, hasher, .. } = self;
        let hash = hasher.hash_one(&path);
        match paths.entry(hash, |(_, file)| list[*file].name == path, |(hash, _)| *hash) {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(place) => {
                place.insert((hash, list.len()));
                list.push(Object::new(Sort::File, path));
                list.len() - 1
            }
        }
    }

    /// Nothing is at `path` any more.
    fn forget(&mut self, path: &[u8]) {
        let Objects { list, paths, hasher, .. } = self;
        if let Ok(known) = paths.find_entry(hasher.hash_one(path), |(_, file)| list[*file].name == path) {
            known.remove();
        }
    }

    /// The file at `from` is at `to` now, instead of what was there.
    fn rename(&mut self, from: &[u8], to: Vec<u8>) {
        let object = self.file(from.to_vec());
        self.forget(from);
        self.forget(&to);
        let hash = self.hasher.hash_one(&to);
        self.list[object].name = to.into();
        self.paths.insert_unique(hash, (hash, object), |(hash, _)| *hash);
    }
}
