//! Names in calls that wait for events, and in futex calls.

use super::{NameSet, choices, flags};

/// `poll`.
pub static POLL: NameSet = flags!(
    POLLIN,
    POLLPRI,
    POLLOUT,
    POLLERR,
    POLLHUP,
    POLLNVAL,
    POLLRDNORM,
    POLLRDBAND,
    POLLWRNORM,
    POLLWRBAND,
    POLLMSG = 0x400,
    POLLRDHUP
);

/// `epoll_event`.
pub static EPOLL: NameSet = flags!(
    EPOLLIN,
    EPOLLPRI,
    EPOLLOUT,
    EPOLLERR,
    EPOLLHUP,
    EPOLLRDNORM,
    EPOLLRDBAND,
    EPOLLWRNORM,
    EPOLLWRBAND,
    EPOLLMSG,
    EPOLLRDHUP,
    EPOLLEXCLUSIVE,
    EPOLLWAKEUP,
    EPOLLONESHOT,
    EPOLLET
);

/// `epoll_ctl`.
pub static EPOLL_OPERATION: NameSet = choices!(EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD);

/// `epoll_create1`.
pub static EPOLL_CREATE: NameSet = flags!(EPOLL_CLOEXEC);

/// `eventfd2`.
pub static EVENT_FILE: NameSet = flags!(EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC);

/// `signalfd4`.
pub static SIGNAL_FILE: NameSet = flags!(SFD_NONBLOCK, SFD_CLOEXEC);

/// `inotify_init1`.
pub static WATCH_FILE: NameSet = flags!(IN_NONBLOCK, IN_CLOEXEC);

/// `inotify_add_watch`.
pub static WATCH: NameSet = flags!(
    IN_ALL_EVENTS,
    IN_ACCESS,
    IN_MODIFY,
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CLOSE_NOWRITE,
    IN_OPEN,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_MOVE_SELF,
    IN_UNMOUNT,
    IN_Q_OVERFLOW,
    IN_IGNORED,
    IN_ONLYDIR,
    IN_DONT_FOLLOW,
    IN_EXCL_UNLINK,
    IN_MASK_CREATE,
    IN_MASK_ADD,
    IN_ISDIR,
    IN_ONESHOT
);

/// `futex`.
pub static FUTEX: NameSet = flags!(0x7f [FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP, FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET,
    FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2 = 13]
    FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME);

/// `futex_wait` and its siblings.
pub static FUTEX2: NameSet = flags!(0x3 [FUTEX2_SIZE_U8 = 0, FUTEX2_SIZE_U16 = 1, FUTEX2_SIZE_U32 = 2,
    FUTEX2_SIZE_U64 = 3] FUTEX2_NUMA = 4, FUTEX2_PRIVATE = 128);
