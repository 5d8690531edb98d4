//! Calls about sockets.

use super::super::Class::Emulate;
use super::super::Syscall;
use super::super::kind::Direction::{In, Out};
use super::super::kind::Type::{self, *};
use super::super::layout::Layout;
use super::super::names::network;
use super::super::shorthand::{
    consumed_bytes, reads_address, reads_items, result_bytes, updates, value_result, writes_address,
    writes_bytes,
};
use super::super::structures::TIMESPEC;
use super::rows;

const FLAGS: Type = Named(&network::MESSAGE);

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    41 socket Emulate =>
        (domain: Named(&network::FAMILY), type: Named(&network::SOCKET), protocol: SocketProtocol);
    53 socketpair Emulate =>
        (domain: Named(&network::FAMILY), type: Named(&network::SOCKET), protocol: SocketProtocol,
         sv: writes_bytes(8).shown(Layout::Ints));
    42 connect Emulate => (sockfd: Descriptor, addr: reads_address(2), addrlen: Int) blocks Always;
    43 accept Emulate =>
        (sockfd: Descriptor, addr: writes_address(2), addrlen: ValueLength { of: 1 }) blocks Always;
    288 accept4 Emulate =>
        (sockfd: Descriptor, addr: writes_address(2), addrlen: ValueLength { of: 1 },
         flags: Named(&network::ACCEPT)) blocks Always;
    44 sendto Emulate =>
        (sockfd: WrittenDescriptor, buf: consumed_bytes(2), len: Size, flags: FLAGS,
         dest_addr: reads_address(5), addrlen: Int) blocks Always;
    45 recvfrom Emulate =>
        (sockfd: Descriptor, buf: result_bytes(2), len: Size, flags: FLAGS, src_addr: writes_address(5),
         addrlen: ValueLength { of: 4 }) blocks Always;
    46 sendmsg Emulate => (sockfd: WrittenDescriptor, msg: Message(In), flags: FLAGS) blocks Always;
    47 recvmsg Emulate => (sockfd: Descriptor, msg: Message(Out), flags: FLAGS) blocks Always;
    307 sendmmsg Emulate =>
        (sockfd: WrittenDescriptor, msgvec: Messages(In), vlen: Unsigned, flags: FLAGS) blocks Always;
    299 recvmmsg Emulate =>
        (sockfd: Descriptor, msgvec: Messages(Out), vlen: Unsigned, flags: FLAGS,
         timeout: updates(&TIMESPEC)) blocks Always;
    48 shutdown Emulate => (sockfd: Descriptor, how: Named(&network::SHUTDOWN));
    49 bind Emulate => (sockfd: Descriptor, addr: reads_address(2), addrlen: Int);
    50 listen Emulate => (sockfd: Descriptor, backlog: Int);
    51 getsockname Emulate =>
        (sockfd: Descriptor, addr: writes_address(2), addrlen: ValueLength { of: 1 });
    52 getpeername Emulate =>
        (sockfd: Descriptor, addr: writes_address(2), addrlen: ValueLength { of: 1 });
    54 setsockopt Emulate =>
        (sockfd: Descriptor, level: Named(&network::LEVEL), optname: SocketOption, optval: reads_items(4, 1),
         optlen: Int);
    55 getsockopt Emulate =>
        (sockfd: Descriptor, level: Named(&network::LEVEL), optname: SocketOption, optval: value_result(4),
         optlen: ValueLength { of: 3 });
};
