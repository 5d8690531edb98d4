//! Which functions of libc, and of libgomp ([`super::super::openmp`]), are enclosed by which lock.
//!
//! What is not here needs nothing: it shares no state, or does so under a lock of pthread's, which is ordered by itself
//! (setlocale, newlocale, dlopen), or by calls of functions that are here.

use super::{Enclosing, Own};

/// A function.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static [u8],
    /// What encloses it.
    pub by: Enclosing,
    /// It is variadic, and has so many arguments before these; else 0.
    pub fixed: u8,
    /// The row of the function that is called: its own, or for a variadic function that of the one that takes a va_list.
    pub listed: usize,
}

const STDIN: Enclosing = Enclosing::Standard(0);
const STDOUT: Enclosing = Enclosing::Standard(1);
const STDERR: Enclosing = Enclosing::Standard(2);

/// Functions that one lock encloses.
type Group = (Enclosing, &'static [&'static [u8]]);

static PLAIN: &[Group] = &[
    (
        Enclosing::Argument(0),
        &[
            b"_IO_peekc_locked",
            b"clearerr",
            b"feof",
            b"ferror",
            b"fgetc",
            b"fgetpos",
            b"fgetpos64",
            b"fgetwc",
            b"fseek",
            b"fseeko",
            b"fseeko64",
            b"fsetpos",
            b"fsetpos64",
            b"ftell",
            b"ftello",
            b"ftello64",
            b"getc",
            b"getw",
            b"getwc",
            b"rewind",
            b"setbuf",
            b"setbuffer",
            b"setlinebuf",
            b"setvbuf",
            b"vfprintf",
            b"vfscanf",
            b"__isoc99_vfscanf",
            b"vfwprintf",
            b"vfwscanf",
            b"__isoc99_vfwscanf",
            b"__vfprintf_chk",
            b"__vfwprintf_chk",
            b"getmntent_r",
        ],
    ),
    (
        Enclosing::Argument(1),
        &[b"fputc", b"fputs", b"fputwc", b"fputws", b"putc", b"putw", b"putwc", b"ungetc", b"ungetwc"],
    ),
    (Enclosing::Argument(2), &[b"fgets", b"fgetws", b"freopen", b"freopen64", b"getline"]),
    (Enclosing::Argument(3), &[b"fread", b"fwrite", b"getdelim", b"__fgets_chk", b"__fgetws_chk"]),
    (Enclosing::Argument(4), &[b"__fread_chk"]),
    (
        STDIN,
        &[
            b"getchar",
            b"getwchar",
            b"gets",
            b"__gets_chk",
            b"vscanf",
            b"__isoc99_vscanf",
            b"vwscanf",
            b"__isoc99_vwscanf",
        ],
    ),
    (
        STDOUT,
        &[b"putchar", b"putwchar", b"puts", b"vprintf", b"vwprintf", b"__vprintf_chk", b"__vwprintf_chk"],
    ),
    (STDERR, &[b"perror", b"psignal", b"psiginfo", b"herror", b"vwarn", b"vwarnx"]),
    (Enclosing::Closed, &[b"fclose"]),
    (Enclosing::Flushed, &[b"fflush"]),
    (Enclosing::AllFlushed, &[b"_IO_flush_all"]),
    (Enclosing::By(Own::Streams), &[b"_IO_link_in", b"_IO_un_link"]),
    (
        Enclosing::By(Own::Environment),
        &[b"setenv", b"putenv", b"unsetenv", b"clearenv", b"getenv", b"secure_getenv"],
    ),
    (
        Enclosing::By(Own::Random),
        &[
            b"random",
            b"srandom",
            b"initstate",
            b"setstate",
            b"drand48",
            b"lrand48",
            b"mrand48",
            b"srand48",
            b"seed48",
            b"lcong48",
        ],
    ),
    (
        Enclosing::By(Own::Time),
        &[
            b"localtime",
            b"localtime_r",
            b"gmtime",
            b"gmtime_r",
            b"mktime",
            b"timegm",
            b"tzset",
            b"strftime",
            b"strftime_l",
            b"wcsftime",
            b"wcsftime_l",
            b"ctime",
            b"asctime",
        ],
    ),
    (Enclosing::By(Own::Exit), &[b"__cxa_atexit", b"on_exit", b"__cxa_at_quick_exit"]),
    (Enclosing::By(Own::Keys), &[b"pthread_key_create", b"pthread_key_delete"]),
    (Enclosing::By(Own::Fork), &[b"__register_atfork"]),
    (Enclosing::By(Own::Semaphores), &[b"sem_open", b"sem_close", b"sem_unlink"]),
    (Enclosing::By(Own::Log), &[b"vsyslog", b"__vsyslog_chk", b"openlog", b"closelog", b"setlogmask"]),
    (Enclosing::By(Own::Children), &[b"system", b"popen", b"pclose"]),
    (
        Enclosing::By(Own::Names),
        &[
            b"getaddrinfo",
            b"getnameinfo",
            b"gethostbyname",
            b"gethostbyname2",
            b"gethostbyname_r",
            b"gethostbyname2_r",
            b"gethostbyaddr",
            b"gethostbyaddr_r",
            b"gethostent",
            b"gethostent_r",
            b"getnetbyname",
            b"getnetbyaddr",
            b"getprotobyname",
            b"getprotobyname_r",
            b"getprotobynumber",
            b"getprotobynumber_r",
            b"getservbyname",
            b"getservbyname_r",
            b"getservbyport",
            b"getservbyport_r",
            b"getpwnam",
            b"getpwnam_r",
            b"getpwuid",
            b"getpwuid_r",
            b"getpwent",
            b"getpwent_r",
            b"setpwent",
            b"endpwent",
            b"getgrnam",
            b"getgrnam_r",
            b"getgrgid",
            b"getgrgid_r",
            b"getgrent",
            b"getgrent_r",
            b"setgrent",
            b"endgrent",
            b"getgrouplist",
            b"initgroups",
            b"getspnam",
            b"getspnam_r",
        ],
    ),
    // libgomp's.
    (
        Enclosing::By(Own::SharedWork),
        &[
            b"GOMP_loop_doacross_dynamic_start",
            b"GOMP_loop_doacross_guided_start",
            b"GOMP_loop_doacross_runtime_start",
            b"GOMP_loop_doacross_start",
            b"GOMP_loop_doacross_static_start",
            b"GOMP_loop_dynamic_next",
            b"GOMP_loop_dynamic_start",
            b"GOMP_loop_end_nowait",
            b"GOMP_loop_guided_next",
            b"GOMP_loop_guided_start",
            b"GOMP_loop_maybe_nonmonotonic_runtime_next",
            b"GOMP_loop_maybe_nonmonotonic_runtime_start",
            b"GOMP_loop_nonmonotonic_dynamic_next",
            b"GOMP_loop_nonmonotonic_dynamic_start",
            b"GOMP_loop_nonmonotonic_guided_next",
            b"GOMP_loop_nonmonotonic_guided_start",
            b"GOMP_loop_nonmonotonic_runtime_next",
            b"GOMP_loop_nonmonotonic_runtime_start",
            b"GOMP_loop_ordered_dynamic_start",
            b"GOMP_loop_ordered_guided_start",
            b"GOMP_loop_ordered_runtime_start",
            b"GOMP_loop_ordered_start",
            b"GOMP_loop_ordered_static_start",
            b"GOMP_loop_runtime_next",
            b"GOMP_loop_runtime_start",
            b"GOMP_loop_start",
            b"GOMP_loop_static_next",
            b"GOMP_loop_static_start",
            b"GOMP_loop_ull_doacross_dynamic_start",
            b"GOMP_loop_ull_doacross_guided_start",
            b"GOMP_loop_ull_doacross_runtime_start",
            b"GOMP_loop_ull_doacross_start",
            b"GOMP_loop_ull_doacross_static_start",
            b"GOMP_loop_ull_dynamic_next",
            b"GOMP_loop_ull_dynamic_start",
            b"GOMP_loop_ull_guided_next",
            b"GOMP_loop_ull_guided_start",
            b"GOMP_loop_ull_maybe_nonmonotonic_runtime_next",
            b"GOMP_loop_ull_maybe_nonmonotonic_runtime_start",
            b"GOMP_loop_ull_nonmonotonic_dynamic_next",
            b"GOMP_loop_ull_nonmonotonic_dynamic_start",
            b"GOMP_loop_ull_nonmonotonic_guided_next",
            b"GOMP_loop_ull_nonmonotonic_guided_start",
            b"GOMP_loop_ull_nonmonotonic_runtime_next",
            b"GOMP_loop_ull_nonmonotonic_runtime_start",
            b"GOMP_loop_ull_ordered_dynamic_start",
            b"GOMP_loop_ull_ordered_guided_start",
            b"GOMP_loop_ull_ordered_runtime_start",
            b"GOMP_loop_ull_ordered_start",
            b"GOMP_loop_ull_ordered_static_start",
            b"GOMP_loop_ull_runtime_next",
            b"GOMP_loop_ull_runtime_start",
            b"GOMP_loop_ull_start",
            b"GOMP_loop_ull_static_next",
            b"GOMP_loop_ull_static_start",
            b"GOMP_scope_start",
            b"GOMP_sections2_start",
            b"GOMP_sections_end_nowait",
            b"GOMP_sections_next",
            b"GOMP_sections_start",
            b"GOMP_single_start",
        ],
    ),
    (
        Enclosing::InTurn,
        &[
            b"GOMP_loop_ordered_dynamic_next",
            b"GOMP_loop_ordered_guided_next",
            b"GOMP_loop_ordered_runtime_next",
            b"GOMP_loop_ordered_static_next",
            b"GOMP_loop_ull_ordered_dynamic_next",
            b"GOMP_loop_ull_ordered_guided_next",
            b"GOMP_loop_ull_ordered_runtime_next",
            b"GOMP_loop_ull_ordered_static_next",
        ],
    ),
];

/// Variadic functions: name, the function that takes a va_list, arguments before these.
static VARIADIC: &[(&[u8], &[u8], u8)] = &[
    (b"printf", b"vprintf", 1),
    (b"fprintf", b"vfprintf", 2),
    (b"__printf_chk", b"__vprintf_chk", 2),
    (b"__fprintf_chk", b"__vfprintf_chk", 3),
    (b"wprintf", b"vwprintf", 1),
    (b"fwprintf", b"vfwprintf", 2),
    (b"__wprintf_chk", b"__vwprintf_chk", 2),
    (b"__fwprintf_chk", b"__vfwprintf_chk", 3),
    (b"scanf", b"vscanf", 1),
    (b"fscanf", b"vfscanf", 2),
    (b"__isoc99_scanf", b"__isoc99_vscanf", 1),
    (b"__isoc99_fscanf", b"__isoc99_vfscanf", 2),
    (b"wscanf", b"vwscanf", 1),
    (b"fwscanf", b"vfwscanf", 2),
    (b"__isoc99_wscanf", b"__isoc99_vwscanf", 1),
    (b"__isoc99_fwscanf", b"__isoc99_vfwscanf", 2),
    (b"syslog", b"vsyslog", 2),
    (b"__syslog_chk", b"__vsyslog_chk", 3),
];

/// How many functions there are.
pub const COUNT: usize = {
    let (mut count, mut at) = (VARIADIC.len(), 0);
    while at < PLAIN.len() {
        count += PLAIN[at].1.len();
        at += 1;
    }
    count
};

/// All of them.
pub static ROWS: [Row; COUNT] = rows();

const fn rows() -> [Row; COUNT] {
    let mut rows = [Row { name: b"", by: STDIN, fixed: 0, listed: 0 }; COUNT];
    let (mut next, mut group) = (0, 0);
    while group < PLAIN.len() {
        let (by, names) = PLAIN[group];
        let mut at = 0;
        while at < names.len() {
            rows[next] = Row { name: names[at], by, fixed: 0, listed: next };
            next += 1;
            at += 1;
        }
        group += 1;
    }
    let mut at = 0;
    while at < VARIADIC.len() {
        let (name, listed, fixed) = VARIADIC[at];
        let listed = place(&rows, listed);
        rows[next] = Row { name, by: rows[listed].by, fixed, listed };
        next += 1;
        at += 1;
    }
    rows
}

/// The row for a function, which has one.
const fn place(rows: &[Row], name: &[u8]) -> usize {
    let mut row = 0;
    while !are_equal(rows[row].name, name) {
        row += 1;
    }
    row
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
