//! The C structures that system calls read and write, as rows of fields.

use super::layout::{Field, Form, Structure};
use super::names::{events, files, process};
use Form::{Hex, Signed, Unsigned};

/// A structure's rows: `name @ offset: form`.
macro_rules! structure {
    ($(#[$doc:meta])* $name:ident $size:literal {
        $($field:ident @ $offset:literal: $form:expr),* $(,)?
    }) => {
        $(#[$doc])*
        pub static $name: Structure = Structure {
            size: $size,
            fields: &[$(Field { name: stringify!($field), offset: $offset, form: $form }),*],
        };
    };
}

structure! {
    /// `struct stat`.
    STAT 144 {
        st_mode @ 24: Form::FileMode,
        st_size @ 48: Signed(8),
        st_ino @ 8: Unsigned(8),
        st_nlink @ 16: Unsigned(8),
        st_uid @ 28: Unsigned(4),
        st_gid @ 32: Unsigned(4),
        st_mtime @ 88: Signed(8),
    }
}
structure! {
    /// `struct statx`.
    STATX 256 {
        stx_mask @ 0: Form::Named(4, &files::STATX),
        stx_mode @ 28: Form::FileMode,
        stx_size @ 40: Unsigned(8),
        stx_ino @ 32: Unsigned(8),
        stx_nlink @ 16: Unsigned(4),
        stx_uid @ 20: Unsigned(4),
        stx_gid @ 24: Unsigned(4),
        stx_mtime @ 112: Form::Structure(&TIMESPEC),
    }
}
structure! {
    /// `struct statfs`.
    STATFS 120 {
        f_type @ 0: Hex(8),
        f_bsize @ 8: Signed(8),
        f_blocks @ 16: Unsigned(8),
        f_bfree @ 24: Unsigned(8),
        f_bavail @ 32: Unsigned(8),
        f_files @ 40: Unsigned(8),
        f_ffree @ 48: Unsigned(8),
        f_namelen @ 64: Signed(8),
        f_frsize @ 72: Signed(8),
        f_flags @ 80: Hex(8),
    }
}
structure! {
    /// `struct ustat`.
    USTAT 32 { f_tfree @ 0: Signed(4), f_tinode @ 8: Unsigned(8) }
}
structure! {
    /// `struct timespec`.
    TIMESPEC 16 { tv_sec @ 0: Signed(8), tv_nsec @ 8: Signed(8) }
}
structure! {
    /// `struct timeval`.
    TIMEVAL 16 { tv_sec @ 0: Signed(8), tv_usec @ 8: Signed(8) }
}
structure! {
    /// `struct timezone`.
    TIMEZONE 8 { tz_minuteswest @ 0: Signed(4), tz_dsttime @ 4: Signed(4) }
}
structure! {
    /// `struct itimerval`.
    ITIMERVAL 32 {
        it_interval @ 0: Form::Structure(&TIMEVAL),
        it_value @ 16: Form::Structure(&TIMEVAL),
    }
}
structure! {
    /// `struct itimerspec`.
    ITIMERSPEC 32 {
        it_interval @ 0: Form::Structure(&TIMESPEC),
        it_value @ 16: Form::Structure(&TIMESPEC),
    }
}
structure! {
    /// `struct tms`.
    TMS 32 {
        tms_utime @ 0: Signed(8),
        tms_stime @ 8: Signed(8),
        tms_cutime @ 16: Signed(8),
        tms_cstime @ 24: Signed(8),
    }
}
structure! {
    /// `struct utimbuf`.
    UTIMBUF 16 { actime @ 0: Signed(8), modtime @ 8: Signed(8) }
}
structure! {
    /// `struct timex`.
    TIMEX 208 {
        modes @ 0: Hex(4),
        offset @ 8: Signed(8),
        freq @ 16: Signed(8),
        maxerror @ 24: Signed(8),
        esterror @ 32: Signed(8),
        status @ 40: Hex(4),
        time @ 72: Form::Structure(&TIMEVAL),
        tick @ 88: Signed(8),
    }
}
structure! {
    /// `struct rlimit`.
    RLIMIT 16 { rlim_cur @ 0: Unsigned(8), rlim_max @ 8: Unsigned(8) }
}
structure! {
    /// `struct rusage`.
    RUSAGE 144 {
        ru_utime @ 0: Form::Structure(&TIMEVAL),
        ru_stime @ 16: Form::Structure(&TIMEVAL),
        ru_maxrss @ 32: Signed(8),
        ru_minflt @ 64: Signed(8),
        ru_majflt @ 72: Signed(8),
        ru_nvcsw @ 128: Signed(8),
        ru_nivcsw @ 136: Signed(8),
    }
}
structure! {
    /// `struct sysinfo`.
    SYSINFO 112 {
        uptime @ 0: Signed(8),
        totalram @ 32: Unsigned(8),
        freeram @ 40: Unsigned(8),
        totalswap @ 64: Unsigned(8),
        freeswap @ 72: Unsigned(8),
        procs @ 80: Unsigned(2),
        mem_unit @ 104: Unsigned(4),
    }
}
structure! {
    /// `struct new_utsname`.
    UTSNAME 390 {
        sysname @ 0: Form::Text(65),
        nodename @ 65: Form::Text(65),
        release @ 130: Form::Text(65),
        version @ 195: Form::Text(65),
        machine @ 260: Form::Text(65),
        domainname @ 325: Form::Text(65),
    }
}
structure! {
    /// `struct winsize`.
    WINSIZE 8 {
        ws_row @ 0: Unsigned(2),
        ws_col @ 2: Unsigned(2),
        ws_xpixel @ 4: Unsigned(2),
        ws_ypixel @ 6: Unsigned(2),
    }
}
structure! {
    /// The kernel's `struct termios`.
    TERMIOS 36 {
        c_iflag @ 0: Hex(4),
        c_oflag @ 4: Hex(4),
        c_cflag @ 8: Hex(4),
        c_lflag @ 12: Hex(4),
        c_line @ 16: Unsigned(1),
    }
}
structure! {
    /// The kernel's `struct termios2`.
    TERMIOS2 44 {
        c_iflag @ 0: Hex(4),
        c_oflag @ 4: Hex(4),
        c_cflag @ 8: Hex(4),
        c_lflag @ 12: Hex(4),
        c_line @ 16: Unsigned(1),
        c_ispeed @ 36: Unsigned(4),
        c_ospeed @ 40: Unsigned(4),
    }
}
structure! {
    /// The kernel's `struct termio`.
    TERMIO 18 {
        c_iflag @ 0: Hex(2),
        c_oflag @ 2: Hex(2),
        c_cflag @ 4: Hex(2),
        c_lflag @ 6: Hex(2),
        c_line @ 8: Unsigned(1),
    }
}
structure! {
    /// `struct flock`.
    FLOCK 32 {
        l_type @ 0: Form::Named(2, &files::LOCK_TYPE),
        l_whence @ 2: Form::Named(2, &files::SEEK),
        l_start @ 8: Signed(8),
        l_len @ 16: Signed(8),
        l_pid @ 24: Signed(4),
    }
}
structure! {
    /// `struct f_owner_ex`.
    OWNER 8 { type @ 0: Signed(4), pid @ 4: Signed(4) }
}
structure! {
    /// `struct pollfd`.
    POLLFD 8 {
        fd @ 0: Signed(4),
        events @ 4: Form::Named(2, &events::POLL),
        revents @ 6: Form::Named(2, &events::POLL),
    }
}
structure! {
    /// `struct epoll_event`, which x86-64 packs.
    EPOLL_EVENT 12 { events @ 0: Form::Named(4, &events::EPOLL), data @ 4: Hex(8) }
}
structure! {
    /// The parts of `siginfo_t` that most signals have.
    SIGINFO 128 {
        si_signo @ 0: Form::Signal,
        si_code @ 8: Signed(4),
        si_pid @ 16: Signed(4),
        si_uid @ 20: Unsigned(4),
        si_status @ 24: Signed(4),
    }
}
structure! {
    /// The kernel's `struct sigaction`.
    SIGACTION 32 {
        sa_handler @ 0: Hex(8),
        sa_flags @ 8: Form::Named(8, &process::ACTION),
        sa_restorer @ 16: Hex(8),
        sa_mask @ 24: Hex(8),
    }
}
structure! {
    /// `stack_t`.
    SIGNAL_STACK 24 {
        ss_sp @ 0: Hex(8),
        ss_flags @ 8: Form::Named(4, &process::STACK),
        ss_size @ 16: Unsigned(8),
    }
}
structure! {
    /// The pair that `pselect6` takes as its last argument.
    SIGNALS_AND_SIZE 16 { sigmask @ 0: Hex(8), sigsetsize @ 8: Unsigned(8) }
}
structure! {
    /// `struct sigevent`.
    SIGEVENT 64 { sigev_value @ 0: Hex(8), sigev_signo @ 8: Form::Signal, sigev_notify @ 12: Signed(4) }
}
structure! {
    /// `struct clone_args`.
    CLONE_ARGUMENTS 88 {
        flags @ 0: Form::Named(8, &process::CLONE),
        pidfd @ 8: Hex(8),
        child_tid @ 16: Hex(8),
        parent_tid @ 24: Hex(8),
        exit_signal @ 32: Unsigned(8),
        stack @ 40: Hex(8),
        stack_size @ 48: Hex(8),
        tls @ 56: Hex(8),
    }
}
structure! {
    /// `struct open_how`.
    OPEN_HOW 24 {
        flags @ 0: Form::Named(8, &files::OPEN),
        mode @ 8: Form::Octal,
        resolve @ 16: Form::Named(8, &files::RESOLVE),
    }
}
structure! {
    /// `struct mount_attr`.
    MOUNT_ATTRIBUTES 32 {
        attr_set @ 0: Hex(8),
        attr_clr @ 8: Hex(8),
        propagation @ 16: Hex(8),
        userns_fd @ 24: Signed(8),
    }
}
structure! {
    /// `struct sched_param`.
    SCHEDULER_PARAMETERS 4 { sched_priority @ 0: Signed(4) }
}
structure! {
    /// `struct sched_attr`.
    SCHEDULER_ATTRIBUTES 48 {
        size @ 0: Unsigned(4),
        sched_policy @ 4: Form::Named(4, &process::SCHEDULER),
        sched_flags @ 8: Hex(8),
        sched_nice @ 16: Signed(4),
        sched_priority @ 20: Unsigned(4),
        sched_runtime @ 24: Unsigned(8),
        sched_deadline @ 32: Unsigned(8),
        sched_period @ 40: Unsigned(8),
    }
}
structure! {
    /// `struct __user_cap_header_struct`.
    CAPABILITY_HEADER 8 { version @ 0: Hex(4), pid @ 4: Signed(4) }
}
structure! {
    /// `struct __user_cap_data_struct`.
    CAPABILITIES 12 { effective @ 0: Hex(4), permitted @ 4: Hex(4), inheritable @ 8: Hex(4) }
}
structure! {
    /// `struct sembuf`.
    SEMAPHORE_OPERATION 6 { sem_num @ 0: Unsigned(2), sem_op @ 2: Signed(2), sem_flg @ 4: Hex(2) }
}
structure! {
    /// `struct mq_attr`.
    QUEUE_ATTRIBUTES 64 {
        mq_flags @ 0: Hex(8),
        mq_maxmsg @ 8: Signed(8),
        mq_msgsize @ 16: Signed(8),
        mq_curmsgs @ 24: Signed(8),
    }
}
structure! {
    /// `struct io_event`.
    IO_EVENT 32 { data @ 0: Hex(8), obj @ 8: Hex(8), res @ 16: Signed(8), res2 @ 24: Signed(8) }
}
structure! {
    /// `struct futex_waitv`.
    FUTEX_WAITER 24 { val @ 0: Unsigned(8), uaddr @ 8: Hex(8), flags @ 16: Form::Named(4, &events::FUTEX2) }
}
structure! {
    /// `struct sock_fprog`.
    FILTER_PROGRAM 16 { len @ 0: Unsigned(2), filter @ 8: Hex(8) }
}
structure! {
    /// `struct cachestat`.
    CACHE_STATISTICS 40 {
        nr_cache @ 0: Unsigned(8),
        nr_dirty @ 8: Unsigned(8),
        nr_writeback @ 16: Unsigned(8),
        nr_evicted @ 24: Unsigned(8),
        nr_recently_evicted @ 32: Unsigned(8),
    }
}
structure! {
    /// `struct cachestat_range`.
    CACHE_RANGE 16 { off @ 0: Unsigned(8), len @ 8: Unsigned(8) }
}
structure! {
    /// `struct file_attr`.
    FILE_ATTRIBUTES 24 {
        fa_xflags @ 0: Hex(8),
        fa_extsize @ 8: Unsigned(4),
        fa_nextents @ 12: Unsigned(4),
        fa_projid @ 16: Unsigned(4),
        fa_cowextsize @ 20: Unsigned(4),
    }
}
structure! {
    /// `struct mnt_id_req`.
    MOUNT_REQUEST 24 { size @ 0: Unsigned(4), mnt_id @ 8: Unsigned(8), param @ 16: Hex(8) }
}
structure! {
    /// The name at the start of `struct ifreq`.
    INTERFACE_REQUEST 40 { ifr_name @ 0: Form::Text(16), ifr_data @ 16: Hex(8) }
}
