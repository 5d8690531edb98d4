//! Which calls are findings, and what each says.

use super::super::call::{Call, long};
use super::super::objects::{Change, Objects, address};
use super::super::walk::Seen;
use super::Topic;
use super::files::Images;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use tracer_core::syscalls::print::{errno_name, print};
use tracer_core::trace::memory::EventMemory;
use tracer_core::trace::reader::{Body, Item, Items};

/// Something worth knowing.
#[derive(Serialize)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
    /// What was done, in a word or two.
    pub action: &'static str,
    /// To what.
    pub subject: String,
    /// More, if there is more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// The name of the error, if it was tried in vain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the subject of a call is found.
#[derive(Clone, Copy)]
enum Subject {
    /// The file that it names, or whose descriptor it has.
    Object,
    /// The same, and the path in this argument is where it is afterwards.
    To(u8),
    /// The peer's address in this argument, which the call reads.
    Address(u8),
    /// The same, which the call writes.
    Peer(u8),
    /// The call itself, with its arguments.
    Call,
}

/// A call that is always a finding.
struct Row(i64, Topic, &'static str, Subject);

use Subject::{Address, Object, Peer, To};
use Topic::{Files, Network, Privileges};

/// Calls that are findings whatever their arguments are.
const ROWS: &[Row] = &[
    Row(libc::SYS_creat, Files, "create", Object),
    Row(libc::SYS_mkdir, Files, "make dir", Object),
    Row(libc::SYS_mkdirat, Files, "make dir", Object),
    Row(libc::SYS_rmdir, Files, "remove dir", Object),
    Row(libc::SYS_unlink, Files, "delete", Object),
    Row(libc::SYS_unlinkat, Files, "delete", Object),
    Row(libc::SYS_rename, Files, "rename", To(1)),
    Row(libc::SYS_renameat, Files, "rename", To(3)),
    Row(libc::SYS_renameat2, Files, "rename", To(3)),
    Row(libc::SYS_link, Files, "link", To(1)),
    Row(libc::SYS_linkat, Files, "link", To(3)),
    Row(libc::SYS_symlink, Files, "symlink", To(1)),
    Row(libc::SYS_symlinkat, Files, "symlink", To(2)),
    Row(libc::SYS_truncate, Files, "truncate", Object),
    Row(libc::SYS_ftruncate, Files, "truncate", Object),
    Row(libc::SYS_chmod, Files, "mode", Subject::Call),
    Row(libc::SYS_fchmod, Files, "mode", Subject::Call),
    Row(libc::SYS_fchmodat, Files, "mode", Subject::Call),
    Row(libc::SYS_chown, Files, "owner", Subject::Call),
    Row(libc::SYS_lchown, Files, "owner", Subject::Call),
    Row(libc::SYS_fchown, Files, "owner", Subject::Call),
    Row(libc::SYS_fchownat, Files, "owner", Subject::Call),
    Row(libc::SYS_mknod, Files, "make node", Object),
    Row(libc::SYS_mknodat, Files, "make node", Object),
    Row(libc::SYS_setxattr, Files, "attribute", Subject::Call),
    Row(libc::SYS_lsetxattr, Files, "attribute", Subject::Call),
    Row(libc::SYS_fsetxattr, Files, "attribute", Subject::Call),
    Row(libc::SYS_mount, Files, "mount", Subject::Call),
    Row(libc::SYS_umount2, Files, "unmount", Subject::Call),
    Row(libc::SYS_memfd_create, Files, "memory file", Subject::Call),
    Row(libc::SYS_connect, Network, "connect", Address(1)),
    Row(libc::SYS_bind, Network, "bind", Address(1)),
    Row(libc::SYS_listen, Network, "listen", Object),
    Row(libc::SYS_accept, Network, "accept", Peer(1)),
    Row(libc::SYS_accept4, Network, "accept", Peer(1)),
    Row(libc::SYS_setuid, Privileges, "user", Subject::Call),
    Row(libc::SYS_setreuid, Privileges, "user", Subject::Call),
    Row(libc::SYS_setresuid, Privileges, "user", Subject::Call),
    Row(libc::SYS_setfsuid, Privileges, "user", Subject::Call),
    Row(libc::SYS_setgid, Privileges, "group", Subject::Call),
    Row(libc::SYS_setregid, Privileges, "group", Subject::Call),
    Row(libc::SYS_setresgid, Privileges, "group", Subject::Call),
    Row(libc::SYS_setfsgid, Privileges, "group", Subject::Call),
    Row(libc::SYS_setgroups, Privileges, "group", Subject::Call),
    Row(libc::SYS_capset, Privileges, "capability", Subject::Call),
    Row(libc::SYS_seccomp, Privileges, "filter", Subject::Call),
    Row(libc::SYS_unshare, Privileges, "namespace", Subject::Call),
    Row(libc::SYS_setns, Privileges, "namespace", Subject::Call),
    Row(libc::SYS_chroot, Privileges, "root", Object),
    Row(libc::SYS_pivot_root, Privileges, "root", Subject::Call),
    Row(libc::SYS_landlock_restrict_self, Privileges, "restrict", Subject::Call),
    Row(libc::SYS_ptrace, Privileges, "trace", Subject::Call),
    Row(libc::SYS_init_module, Privileges, "module", Subject::Call),
    Row(libc::SYS_finit_module, Privileges, "module", Subject::Call),
    Row(libc::SYS_bpf, Privileges, "bpf", Subject::Call),
];

/// Commands of `prctl` that change what a process may do.
const PRIVILEGE_COMMANDS: [i32; 7] = [
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_SET_KEEPCAPS,
    libc::PR_SET_SECUREBITS,
    libc::PR_SET_SECCOMP,
    libc::PR_SET_DUMPABLE,
    libc::PR_CAPBSET_DROP,
    libc::PR_CAP_AMBIENT,
];

/// What `seen` says, if it says something worth knowing.
pub fn of(seen: &Seen, objects: &Objects, images: &mut Images) -> Option<Finding> {
    if let Body::Start { items } = &seen.event.body {
        return Some(executed(items, images));
    }
    let call = seen.call.as_ref()?;
    let object = || seen.object.and_then(|object| objects.get(object));
    let named = || object().map_or_else(String::new, |object| shown(&object.name));
    let finding = |topic, action, subject: String, details: String| {
        let error = call.failed().then(|| errno_name((-call.result) as i32).into_owned());
        Some(Finding { topic, action, subject, details, error })
    };
    match call.number {
        libc::SYS_open => opened(call.arguments[1], named(), finding),
        libc::SYS_openat => opened(call.arguments[2], named(), finding),
        libc::SYS_openat2 => {
            opened(call.input(2).and_then(|how| long(how, 0)).unwrap_or(0), named(), finding)
        }
        // Those that worked are told by what began.
        libc::SYS_execve | libc::SYS_execveat if call.failed() => {
            finding(Topic::Exec, "exec", shown(call.text(0).or(call.text(1))?), String::new())
        }
        libc::SYS_sendto if call.arguments[4] != 0 => {
            finding(Network, "send to", call.input(4).and_then(address)?, named())
        }
        libc::SYS_mmap if is_executable(call.arguments[2]) => {
            let [_, length, protection, flags, _, offset] = call.arguments;
            let file = if flags as i32 & libc::MAP_ANONYMOUS == 0 { named() } else { "anonymous".to_owned() };
            let identity = object().map_or("", |object| images.identity(&object.name));
            let at = format!("{:#x}, {length} bytes from byte {offset}", call.result);
            let details = format!("at {at}{}{}", writable(protection), in_words(identity));
            finding(Topic::Memory, "map code", file, details)
        }
        libc::SYS_mprotect | libc::SYS_pkey_mprotect if is_executable(call.arguments[2]) => {
            let [at, length, protection, ..] = call.arguments;
            let details = format!("{length} bytes{}", writable(protection));
            finding(Topic::Memory, "make code", format!("{at:#x}"), details)
        }
        libc::SYS_prctl if PRIVILEGE_COMMANDS.contains(&(call.arguments[0] as i32)) => {
            finding(Privileges, "prctl", printed(call), String::new())
        }
        number => {
            let Row(_, topic, action, subject) = ROWS.iter().find(|row| row.0 == number)?;
            let (subject, details) = match *subject {
                Object => (named(), String::new()),
                To(to) => match &seen.change {
                    Some(Change::Renamed(from)) => (shown(from), format!("to {}", named())),
                    _ => (from(call, to).map_or_else(named, shown), format!("to {}", shown(call.text(to)?))),
                },
                Address(index) => (address(call.input(index)?)?, named()),
                Peer(index) => {
                    let peer = call.output(index).and_then(address);
                    (peer.unwrap_or_else(|| "a peer without an address".to_owned()), named())
                }
                Subject::Call => (printed(call), String::new()),
            };
            finding(*topic, action, subject, details)
        }
    }
}

/// The path before the one in argument `to`, as the program gave it.
fn from<'a>(call: &Call<'a>, to: u8) -> Option<&'a [u8]> {
    call.items.iter().find_map(|item| match item {
        Item::Text { argument, text, .. } if argument < to => Some(text),
        _ => None,
    })
}

fn executed(items: &Items, images: &Images) -> Finding {
    let mut finding = Finding {
        topic: Topic::Exec,
        action: "execute",
        subject: String::new(),
        details: String::new(),
        error: None,
    };
    let mut words = Vec::new();
    for item in items.iter() {
        match item {
            Item::Executable { path } => {
                finding.subject = shown(path);
                finding.details = in_words(images.identity(path)).trim_start_matches(", ").to_owned();
            }
            Item::Arguments { strings } => words.extend(strings.map(shown)),
            _ => {}
        }
    }
    let command = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
    let separator = if finding.details.is_empty() { "" } else { "  " };
    finding.details = format!("{command}{separator}{}", finding.details);
    finding
}

fn opened(
    flags: u64,
    path: String,
    finding: impl Fn(Topic, &'static str, String, String) -> Option<Finding>,
) -> Option<Finding> {
    let flags = flags as i32;
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    let (topic, action) = match flags {
        _ if flags & libc::O_CREAT != 0 => (Files, "create"),
        _ if writes => (Files, "open"),
        _ => (Topic::Reads, "read"),
    };
    let details =
        [(libc::O_TRUNC, "emptied"), (libc::O_APPEND, "appended to"), (libc::O_EXCL, "must be new")];
    let words: Vec<&str> =
        details.iter().filter(|(flag, _)| flags & flag != 0).map(|found| found.1).collect();
    finding(topic, action, path, words.join(", "))
}

fn is_executable(protection: u64) -> bool {
    protection as i32 & libc::PROT_EXEC != 0
}

fn writable(protection: u64) -> &'static str {
    if protection as i32 & libc::PROT_WRITE != 0 { ", writable too" } else { "" }
}

fn in_words(identity: &str) -> String {
    if identity.is_empty() { String::new() } else { format!(", {identity}") }
}

/// The call as `dump` has it, without its result.
fn printed(call: &Call) -> String {
    let mut text = String::new();
    if let Some(row) = call.row() {
        print(&mut text, row, &call.arguments, None, &EventMemory::new(call.items));
    }
    text
}

fn shown(bytes: &[u8]) -> String {
    OsStr::from_bytes(bytes).to_string_lossy().into_owned()
}
