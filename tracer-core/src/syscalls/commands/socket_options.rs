//! Socket options that make the kernel share memory with the program, or whose lengths are not in bytes.

use super::Class;

/// An option that is refused.
struct Row {
    /// The system call.
    number: u16,
    level: i32,
    option: i32,
}

const fn row(number: libc::c_long, level: i32, option: i32) -> Row {
    Row { number: number as u16, level, option }
}

const PACKET_RX_RING: i32 = 5;
const PACKET_TX_RING: i32 = 13;

const REFUSED: &[Row] = &[
    row(libc::SYS_setsockopt, libc::SOL_PACKET, PACKET_RX_RING),
    row(libc::SYS_setsockopt, libc::SOL_PACKET, PACKET_TX_RING),
    row(libc::SYS_setsockopt, libc::SOL_XDP, libc::XDP_RX_RING),
    row(libc::SYS_setsockopt, libc::SOL_XDP, libc::XDP_TX_RING),
    row(libc::SYS_setsockopt, libc::SOL_XDP, libc::XDP_UMEM_REG),
    // Maps received pages into the program.
    row(libc::SYS_getsockopt, libc::SOL_TCP, libc::TCP_ZEROCOPY_RECEIVE),
    // SO_GET_FILTER has the number of SO_ATTACH_FILTER, and counts instructions.
    row(libc::SYS_getsockopt, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER),
];

/// How `getsockopt` or `setsockopt` with these arguments is to be treated if not like other options.
pub fn class(number: u16, a: &[u64; 6]) -> Option<Class> {
    let (level, option) = (a[1] as i32, a[2] as i32);
    let refused = |row: &Row| row.number == number && row.level == level && row.option == option;
    REFUSED.iter().any(refused).then_some(Class::Refuse(libc::ENOPROTOOPT))
}
