//! From a command line to a process.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tracer_core::companion::launch::{
    Command, LIBRARY_PATH_BYTES, Launch, Refusal, exec_program, find, find_library, injected_environment,
    own_environment, padded_library_path,
};
use tracer_core::companion::objects;
use tracer_core::session::Mode;

use crate::isolation::{fork, in_own_process, wait};
use crate::record::scratch;

fn strings(list: &[&str]) -> Vec<OsString> {
    list.iter().map(OsString::from).collect()
}

fn write(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn refusal(command: &[&str], path: &OsStr) -> Refusal {
    find(&strings(command), Some(path)).unwrap_err()
}

#[test]
fn commands_are_found_as_execvp_finds_them() {
    let directory = scratch("find");
    let (one, two) = (directory.join("one"), directory.join("two"));
    std::fs::create_dir_all(&one).unwrap();
    std::fs::create_dir_all(&two).unwrap();
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    std::os::unix::fs::symlink(&shell, two.join("tool")).unwrap();
    let path = std::env::join_paths([&one, &two]).unwrap();

    let found = find(&strings(&["tool", "-c", "x"]), Some(&path)).unwrap();
    assert_eq!(found, Command { executable: shell.clone(), arguments: strings(&["tool", "-c", "x"]) });
    // A file that may not be executed is passed over, and told of only when there is no other.
    write(&one.join("tool"), "", 0o644);
    assert_eq!(find(&strings(&["tool"]), Some(&path)).unwrap().executable, shell);
    write(&one.join("plain"), "", 0o644);
    assert!(
        matches!(refusal(&["plain"], &path), Refusal::NotExecutable { path } if path.ends_with("one/plain"))
    );
    let missing = refusal(&["missing"], &path);
    assert_eq!((missing.to_string().as_str(), missing.exit_status()), ("missing: command not found", 127));
    assert_eq!(refusal(&["/nowhere/at/all"], &path).exit_status(), 127);
    assert_eq!(refusal(&["/tmp"], &path).exit_status(), 126);
    assert!(matches!(find(&[], None), Err(Refusal::NoCommand)));
}

#[test]
fn scripts_become_their_interpreters() {
    let directory = scratch("scripts");
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    let script = |name: &str, line: &str| -> String {
        let path = directory.join(name);
        write(&path, format!("{line}\nexit 0\n"), 0o755);
        path.to_str().unwrap().to_owned()
    };
    let resolve = |path: &str| find(&strings(&[path, "a", "b"]), None);
    let first = script("first", "#! /bin/sh  -e -u \t");
    assert_eq!(
        resolve(&first).unwrap(),
        Command { executable: shell.clone(), arguments: strings(&["/bin/sh", "-e -u", &first, "a", "b"]) }
    );
    let second = script("second", &format!("#!{first}"));
    assert_eq!(
        resolve(&second).unwrap().arguments,
        strings(&["/bin/sh", "-e -u", &first, &second, "a", "b"])
    );
    let mut deeper = second;
    for number in 3..=6 {
        deeper = script(&format!("nested{number}"), &format!("#!{deeper}"));
    }
    assert!(matches!(resolve(&deeper), Err(Refusal::ScriptTooDeep { .. })));
    let absent = script("absent", "#!/nowhere/interpreter");
    assert!(resolve(&absent).unwrap_err().to_string().contains("/nowhere/interpreter"));
    let text = script("text", "exit 3");
    assert_eq!(resolve(&text).unwrap().arguments, strings(&["/bin/sh", &text, "a", "b"]));
    let empty = script("empty", "#! ");
    assert!(matches!(resolve(&empty), Err(Refusal::BadScript { .. })));
}

#[test]
fn programs_that_cannot_be_recorded_are_refused_with_the_reason() {
    let directory = scratch("refuse");
    let try_bytes = |name: &str, bytes: &[u8], mode: u32| {
        let path = directory.join(name);
        write(&path, bytes, mode);
        find(&[path.into_os_string()], None).map(drop)
    };
    let good = std::fs::read("/bin/true").unwrap();
    assert!(try_bytes("good", &good, 0o755).is_ok());

    let mut fixed = good.clone();
    // The program header table: the entry of type PT_INTERP (3) becomes one to be ignored.
    let table = u64::from_le_bytes(fixed[32..40].try_into().unwrap()) as usize;
    let interpreter = (table..).step_by(56).find(|&at| fixed[at..at + 4] == [3, 0, 0, 0]).unwrap();
    fixed[interpreter] = 0;
    assert!(matches!(try_bytes("static", &fixed, 0o755), Err(Refusal::Static { .. })));

    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let reason = |result: Result<(), Refusal>| result.unwrap_err().to_string();
    assert!(reason(try_bytes("narrow", &change(4, 1), 0o755)).contains("32-bit"));
    assert!(reason(try_bytes("arm", &change(18, 183), 0o755)).contains("another kind of processor"));
    assert!(reason(try_bytes("data", &[1, 0, 1, 0].repeat(10), 0o755)).contains("neither an ELF program"));
    assert!(reason(try_bytes("short", b"\x7fELF\0", 0o755)).contains("no program"));
    assert!(reason(try_bytes("cut", &good[..80], 0o755)).contains("damaged"));
}

#[test]
fn privileges_matter_where_they_are_gained() {
    let directory = scratch("privileged");
    let path = directory.join("program");
    std::fs::copy("/bin/true", &path).unwrap();
    let try_mode = |mode: u32| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        find(&[path.clone().into_os_string()], None)
    };
    // One's own privileges are no gain.
    assert!(try_mode(0o6755).is_ok());
    // SAFETY: plain system calls.
    if unsafe { libc::getuid() } == 0 {
        std::os::unix::fs::chown(&path, Some(12345), Some(12345)).unwrap();
        assert!(matches!(try_mode(0o4755), Err(Refusal::Privileged { what: "set-user-ID", .. })));
        assert!(matches!(try_mode(0o2755), Err(Refusal::Privileged { what: "set-group-ID", .. })));
        assert!(try_mode(0o0755).is_ok());
    }
}

#[test]
fn the_library_is_found_where_archives_and_packages_put_it() {
    let root = scratch("library");
    for places in [&["bin"][..], &["lib/imitate"], &["lib"], &["bin", "lib"]] {
        let _ = std::fs::remove_dir_all(root.join("lib"));
        std::fs::create_dir_all(root.join("bin")).unwrap();
        let _ = std::fs::remove_file(root.join("bin/libimitate.so"));
        for place in places {
            std::fs::create_dir_all(root.join(place)).unwrap();
            write(&root.join(place).join("libimitate.so"), "", 0o644);
        }
        let found = find_library(None, &root.join("bin/imitate")).unwrap();
        assert_eq!(found, root.join(places[0]).join("libimitate.so").canonicalize().unwrap());
    }
    let named = root.join("named.so");
    let error = find_library(Some(named.clone().into()), &root.join("bin/imitate")).unwrap_err().to_string();
    assert!(error.contains("named.so") && error.contains("IMITATE_LIBRARY"), "{error}");
    write(&named, "", 0o644);
    assert_eq!(
        find_library(Some(named.clone().into()), Path::new("/x")).unwrap(),
        named.canonicalize().unwrap()
    );
}

#[test]
fn the_environment_block_has_one_layout() {
    let library = padded_library_path(Path::new("/opt/x/libimitate.so")).unwrap();
    assert_eq!(library.len(), LIBRARY_PATH_BYTES);
    assert!(Path::new(OsStr::new(std::str::from_utf8(&library).unwrap())).ends_with("opt/x/libimitate.so"));
    for bad in ["relative/libimitate.so", "/a b/libimitate.so", "/a:b/libimitate.so", &"/x".repeat(101)] {
        assert!(padded_library_path(Path::new(bad)).is_err(), "{bad}");
    }
    let given = strings(&["A=1", "LD_PRELOAD=/u/own.so", "IMITATE_LIBRARY=/l", "B=2=3", "C="]);
    let own = own_environment(given);
    assert_eq!(own, strings(&["A=1", "LD_PRELOAD=/u/own.so", "B=2=3", "C="]));
    let block = injected_environment(&own, &library, Mode::Record, "0FFF,0FFE,0000");
    let preload = format!("LD_PRELOAD={}:/u/own.so", String::from_utf8(library.clone()).unwrap());
    let rest = ["IMITATE_MODE=record", "IMITATE_SESSION=0FFF,0FFE,0000"];
    assert_eq!(block, strings(&["A=1", "B=2=3", "C=", &preload, rest[0], rest[1]]));
    let bytes = |block: &[OsString]| block.iter().map(|variable| variable.len() + 1).sum::<usize>();
    let other = padded_library_path(Path::new("/some/other/place/libimitate.so")).unwrap();
    assert_eq!(bytes(&block), bytes(&injected_environment(&own, &other, Mode::Replay, "0001,0002,0003")));
    // What is taken out of the program's sight are two variables here, of which its own LD_PRELOAD is not one, and four there.
    let without = injected_environment(&strings(&["A=1"]), &library, Mode::Record, "0FFF,0FFE,0000");
    let preload = format!("LD_PRELOAD={}", String::from_utf8(library).unwrap());
    assert_eq!(without, strings(&["A=1", &preload, rest[0], rest[1], "IMITATE_PADDING="]));
    // What was injected before, by whomever, is taken out again.
    assert_eq!(own_environment(block), strings(&["A=1", "B=2=3", "C=", "LD_PRELOAD=/u/own.so"]));
    assert_eq!(own_environment(strings(&["LD_PRELOAD=/x/libimitate.so", "A=1"])), strings(&["A=1"]));
}

/// Lets personality(2) fail in this process, whatever it is asked for, as systemd's LockPersonality= does.
fn lock_personality() {
    let filter = |code: u32, jumps: [u8; 2], value: u32| libc::sock_filter {
        code: code as u16,
        jt: jumps[0],
        jf: jumps[1],
        k: value,
    };
    // The number of the call is the first word that a filter sees.
    let mut instructions = [
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, [0, 0], 0),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, [0, 1], libc::SYS_personality as u32),
        filter(libc::BPF_RET | libc::BPF_K, [0, 0], libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        filter(libc::BPF_RET | libc::BPF_K, [0, 0], libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: instructions.len() as u16, filter: instructions.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which is on this stack, before prctl returns.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

#[test]
fn no_program_starts_at_random_addresses() {
    in_own_process("launch::no_program_starts_at_random_addresses", || {
        let launch = Launch {
            // If it starts, it fails.
            executable: PathBuf::from("/bin/false"),
            content: None,
            arguments: strings(&["false"]),
            environment: Vec::new(),
            stack_limit: None,
            mode: Mode::Record,
            library: padded_library_path(Path::new("/nowhere/libimitate.so")).unwrap(),
            session: "0FFF,0FFE,0000".into(),
            root: None,
        };
        let child = fork(|| {
            lock_personality();
            let error = exec_program(&launch);
            i32::from(!error.to_string().contains("randomisation"))
        });
        assert_eq!(wait(child), 0);
    });
}

#[test]
fn the_program_starts_as_it_was_told() {
    in_own_process("launch::the_program_starts_as_it_was_told", || {
        let directory = scratch("exec");
        let output = directory.join("output");
        let script = "{ cat /proc/self/personality; echo \"$0 $1\"; ulimit -s; echo \"$A $IMITATE_MODE $IMITATE_SESSION\"; \
                      grep SigIgn /proc/self/status; } > \"$1\"";
        let launch = Launch {
            executable: PathBuf::from("/bin/sh").canonicalize().unwrap(),
            content: None,
            arguments: strings(&["sh", "-c", script, "zero", output.to_str().unwrap()]),
            environment: strings(&["A=1", "PATH=/bin:/usr/bin"]),
            stack_limit: Some([4 << 20, u64::MAX]),
            mode: Mode::Replay,
            library: padded_library_path(Path::new("/nowhere/libimitate.so")).unwrap(),
            session: "0FFF,0FFE,0000".into(),
            root: None,
        };
        let child = fork(|| {
            eprintln!("{}", exec_program(&launch));
            1
        });
        assert_eq!(wait(child), 0);
        let said = std::fs::read_to_string(&output).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(u32::from_str_radix(lines[0], 16).unwrap() & 0x40000, 0x40000);
        assert_eq!(lines[1], format!("zero {}", output.display()));
        assert_eq!(lines[2], "4096");
        assert_eq!(lines[3], "1 replay 0FFF,0FFE,0000");
        let ignored = u64::from_str_radix(lines[4].rsplit('\t').next().unwrap(), 16).unwrap();
        assert_eq!(ignored & 1 << (libc::SIGPIPE - 1), 0);

        let absent = Launch { executable: "/nowhere/program".into(), ..launch };
        assert!(exec_program(&absent).to_string().contains("/nowhere/program"));
    });
}

#[test]
fn a_changed_object_is_named() {
    let directory = scratch("objects");
    let path = directory.join("program");
    std::fs::copy("/bin/true", &path).unwrap();
    let recorded = objects::describe(path.clone().into()).unwrap();
    assert!(objects::verify(&recorded).is_ok());
    // The same build, installed again.
    std::fs::remove_file(&path).unwrap();
    std::fs::copy("/bin/true", &path).unwrap();
    assert!(objects::verify(&recorded).is_ok());
    std::fs::copy("/bin/false", &path).unwrap();
    let difference = objects::verify(&recorded).unwrap_err();
    assert!(
        difference.contains(path.to_str().unwrap()) && difference.contains(&recorded.build_id),
        "{difference}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(objects::verify(&recorded).unwrap_err().contains("No such file"));
}
