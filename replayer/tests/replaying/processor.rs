//! `record --cpu`: programs that are told of less than the processor has.

use crate::debugger::compile;
use crate::{FAILED, Place, imitate, text};
use std::path::Path;
use std::process::{Command, Output};
use tracer_core::trace::manifest::Manifest;

/// Prints all that tells a program of its processor: to be asked, what libc knows and has chosen, and how much of it the kernel
/// saves. Executes its argument.
const SEEN: &str = r#"
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
static void handle(int signal, siginfo_t *information, void *context) {
    unsigned *software = (unsigned *)((char *)((ucontext_t *)context)->uc_mcontext.fpregs + 464);
    printf("frame %u %x\n", software[1], software[2]);
}
#define ASK(name) printf(" " name "=%d", !!__builtin_cpu_supports(name))
int main(int count, char **arguments) {
    unsigned a, b, c, d;
    printf("builtin:"); ASK("sse4.2"); ASK("popcnt"); ASK("aes"); ASK("avx"); ASK("avx2"); ASK("avx512f");
    for (int leaf = 0; leaf < 2; leaf++) {
        __cpuid_count(7, leaf, a, b, c, d);
        printf("\n7.%d: %x %x %x", leaf, b, c, d);
    }
    __cpuid(1, a, b, c, d);
    printf("\n1: %x", c >> 26 & 7);
    __cpuid_count(13, 0, a, b, c, d);
    printf("\nstate: %x %x", a, c);
    unsigned *(*known)(unsigned) = dlsym(RTLD_DEFAULT, "__x86_get_cpuid_feature_leaf");
    if (known) printf("\nlibc: %x %x", known(1)[1], known(1)[5]);
    Dl_info library;
    char *copy = dlsym(RTLD_DEFAULT, "memcpy");
    dladdr(copy, &library);
    printf("\nmemcpy %lx\n", (long)(copy - (char *)library.dli_fbase));
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    fflush(stdout);
    return count > 1 ? system(arguments[1]) != 0 : 0;
}
"#;

/// Has a function that the loader chooses.
const CHOOSES: &str = r#"
#include <stdio.h>
__attribute__((target_clones("avx2", "default"))) int twice(int value) { return 2 * value; }
int main(void) { printf("%d\n", twice(21)); return 0; }
"#;

/// Records what the program says, and replays it; gives the lines, all of which a replay has shown too.
fn shown(place: &Place, options: &[&str], command: &[&str]) -> String {
    let recorded = place.record_with(options, command);
    assert_eq!((text(&recorded.stderr), recorded.status.code()), (String::new(), Some(0)));
    let replayed = place.replay();
    assert_eq!((text(&replayed.stderr), replayed.status.code()), (String::new(), Some(0)));
    assert_eq!(text(&replayed.stdout), text(&recorded.stdout));
    text(&recorded.stdout)
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} in {text}"))
}

#[test]
fn a_level_is_all_that_a_program_sees() {
    let place = Place::new();
    let program = compile(&place, "seen", SEEN, &["-O1"]);
    let seen = shown(&place, &["--cpu", "x86-64-v2"], &[&program]);
    assert_eq!(line(&seen, "builtin:"), " sse4.2=1 popcnt=1 aes=0 avx=0 avx2=0 avx512f=0");
    assert_eq!([line(&seen, "7.0: "), line(&seen, "7.1: ")], ["0 0 0"; 2]);
    assert_eq!([line(&seen, "1: "), line(&seen, "state: ")], ["0", "0 0"]);
    // The legacy area, the header, and the closing magic number.
    assert_eq!(line(&seen, "frame "), "580 3");
    if seen.contains("libc:") {
        assert_eq!(line(&seen, "libc: "), "0 0");
    }
    // The function that libc takes where it is told the same by hand.
    let told = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-XSAVE,-XSAVEC,-OSXSAVE";
    let alone = Command::new(&program).env("GLIBC_TUNABLES", told).output().unwrap();
    assert_eq!(line(&seen, "memcpy "), line(&text(&alone.stdout), "memcpy "));
}

#[test]
fn children_see_the_same_whatever_their_environment_is() {
    let place = Place::new();
    let program = compile(&place, "seen", SEEN, &["-O1"]);
    let child = format!("env -i {program}; GLIBC_TUNABLES=glibc.malloc.check=0 {program}");
    let seen = shown(&place, &["--cpu", "x86-64-v2"], &[&program, &child]);
    let each = seen.lines().count() / 3;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..each], lines[each..2 * each]);
    assert_eq!(lines[..each], lines[2 * each..]);
}

#[test]
fn single_features_are_hidden_and_shown() {
    let place = Place::new();
    let program = compile(&place, "seen", SEEN, &["-O1"]);
    let native = text(&Command::new(&program).output().unwrap().stdout);
    let without =
        native.replace("avx=1", "avx=0").replace("avx2=1", "avx2=0").replace("avx512f=1", "avx512f=0");
    let seen = shown(&place, &["--cpu=-avx"], &[&program]);
    assert_eq!(line(&seen, "builtin:"), line(&without, "builtin:"));
    std::fs::remove_dir_all(place.trace()).unwrap();
    let seen = shown(&place, &["--cpu=x86-64,+popcnt"], &[&program]);
    assert_eq!(line(&seen, "builtin:"), " sse4.2=0 popcnt=1 aes=0 avx=0 avx2=0 avx512f=0");
}

#[test]
fn without_the_option_all_is_as_it_is() {
    let place = Place::new();
    let program = compile(&place, "seen", SEEN, &["-O1"]);
    let native = text(&Command::new(&program).output().unwrap().stdout);
    let seen = shown(&place, &[], &[&program]);
    for name in ["builtin:", "1: ", "state: ", "memcpy ", "frame "] {
        assert_eq!(line(&seen, name), line(&native, name));
    }
}

/// Packs the recording of `true` that these options make, and unpacks it as if the processor had had `feature`.
fn packed_elsewhere(options: &[&str], feature: &str) -> Output {
    let place = Place::new();
    let recorded = place.record_with(options, &["true"]);
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let (file, unpacked) = (place.path("packed"), place.path("unpacked"));
    let run = |command: &mut Command| assert!(command.output().unwrap().status.success(), "{command:?}");
    run(imitate().arg("pack").arg(place.trace()).arg("--output").arg(&file));
    run(imitate().arg("unpack").arg(&file).arg("--output").arg(&unpacked));
    let mut manifest = Manifest::load(&unpacked).unwrap();
    manifest.packed.as_mut().unwrap().processor_flags.push(feature.to_owned());
    manifest.store(&unpacked).unwrap();
    imitate().arg("replay").arg(&unpacked).output().unwrap()
}

#[test]
fn a_replay_needs_the_features_only_that_the_program_saw() {
    // No processor but Knights Mill has the one, and none the other.
    for (options, feature, is_needed) in [
        (&[][..], "avx512_4vnniw", true),
        (&["--cpu=-aes"], "avx512_4vnniw", true),
        (&["--cpu=-avx512_4vnniw"], "avx512_4vnniw", false),
        (&["--cpu=-avx512f"], "avx512_4vnniw", false),
        (&["--cpu=-avx512f"], "time_travel", true),
        (&["--cpu=x86-64-v2"], "avx512_4vnniw", false),
        (&["--cpu=x86-64-v2"], "time_travel", false),
    ] {
        let replayed = packed_elsewhere(options, feature);
        let said = text(&replayed.stderr);
        if is_needed {
            assert_eq!(replayed.status.code(), FAILED, "{options:?} {feature}");
            assert!(said.contains(&format!("with features that this one lacks: {feature}\n")), "{said}");
        } else {
            assert_eq!((said, replayed.status.code()), (String::new(), Some(0)), "{options:?} {feature}");
        }
    }
}

#[test]
fn who_sees_the_whole_processor_is_named() {
    let place = Place::new();
    let program = compile(&place, "chooses", CHOOSES, &["-O1"]);
    let recorded = place.record_with(&["--cpu", "x86-64-v2"], &[&program]);
    assert_eq!(recorded.status.code(), Some(0));
    let said = text(&recorded.stderr);
    assert!(said.starts_with("imitate: chooses chose functions by the whole processor"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    std::fs::remove_dir_all(place.trace()).unwrap();
    let recorded = place.record_with(&["--cpu", "x86-64-v2", "--cpu-strict"], &[&program]);
    assert_eq!(recorded.status.code(), FAILED, "{}", text(&recorded.stderr));
    std::fs::remove_dir_all(place.trace()).unwrap();
    let recorded = place.record_with(&["--cpu", "x86-64-v2", "--cpu-strict"], &["true"]);
    assert_eq!((text(&recorded.stderr), recorded.status.code()), (String::new(), Some(0)));
}

#[test]
fn what_is_no_processor_is_refused() {
    let place = Place::new();
    for (cpu, what) in [("avx2", "neither a level"), ("-sse2", "no feature that can be hidden")] {
        let refused = place.record_with(&["--cpu", cpu], &["true"]);
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains(what), "{said}");
        assert!(!Path::new(&place.trace()).exists());
    }
}
