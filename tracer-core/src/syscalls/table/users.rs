//! Calls about users, groups, capabilities and keys.

use super::super::Class::Emulate;
use super::super::Syscall;
use super::super::commands::control;
use super::super::kind::Direction::{In, Out};
use super::super::kind::Length;
use super::super::kind::Type::{self, *};
use super::super::kind::When;
use super::super::layout::Layout;
use super::super::shorthand::{
    memory, reads_bytes, reads_items, result_items, updates, updates_int, value_result, writes_int,
};
use super::super::structures::{CAPABILITIES, CAPABILITY_HEADER};
use super::rows;

/// These calls' rows.
pub const ROWS: &[Syscall] = rows! {
    102 getuid Emulate => ();
    104 getgid Emulate => ();
    107 geteuid Emulate => ();
    108 getegid Emulate => ();
    105 setuid Emulate => (uid: Int);
    106 setgid Emulate => (gid: Int);
    113 setreuid Emulate => (ruid: Int, euid: Int);
    114 setregid Emulate => (rgid: Int, egid: Int);
    117 setresuid Emulate => (ruid: Int, euid: Int, suid: Int);
    118 getresuid Emulate => (ruid: writes_int(), euid: writes_int(), suid: writes_int());
    119 setresgid Emulate => (rgid: Int, egid: Int, sgid: Int);
    120 getresgid Emulate => (rgid: writes_int(), egid: writes_int(), sgid: writes_int());
    122 setfsuid Emulate => (fsuid: Int);
    123 setfsgid Emulate => (fsgid: Int);
    115 getgroups Emulate => (size: Int, list: result_items(0, 4).shown(Layout::Ints));
    116 setgroups Emulate => (size: Int, list: reads_items(0, 4).shown(Layout::Ints));
    // The kernel answers an unknown version with EINVAL and the version that it prefers.
    125 capget Emulate =>
        (hdrp: updates(&CAPABILITY_HEADER).when(When::SuccessOr(libc::EINVAL)),
         datap: memory(Out, Length::Capabilities { argument: 0 }).shown(Layout::Structure(&CAPABILITIES)));
    126 capset Emulate =>
        (hdrp: updates(&CAPABILITY_HEADER).when(When::SuccessOr(libc::EINVAL)),
         datap: memory(In, Length::Capabilities { argument: 0 }).shown(Layout::Structure(&CAPABILITIES)));
    248 add_key Emulate =>
        (type: Path, description: Path, payload: reads_items(3, 1), plen: Size, keyring: Int);
    249 request_key Emulate =>
        (type: Path, description: Path, callout_info: Path, dest_keyring: Int) blocks Never;
    250 keyctl Emulate =>
        (operation: Command(&control::KEYCTL), arg2: ByCommand(&control::KEYCTL),
         arg3: ByCommand(&control::KEYCTL), arg4: ByCommand(&control::KEYCTL),
         arg5: ByCommand(&control::KEYCTL));
    444 landlock_create_ruleset Emulate => (attr: reads_items(1, 1), size: Size, flags: Hex);
    445 landlock_add_rule Emulate =>
        (ruleset_fd: Descriptor, rule_type: Int, rule_attr: reads_bytes(12),
         flags: Hex);
    446 landlock_restrict_self Emulate => (ruleset_fd: Descriptor, flags: Hex);
    459 lsm_get_self_attr Emulate =>
        (attr: Unsigned, ctx: value_result(2), size: NEEDED_SIZE, flags: Hex);
    460 lsm_set_self_attr Emulate => (attr: Unsigned, ctx: reads_items(2, 1), size: Unsigned, flags: Hex);
    461 lsm_list_modules Emulate =>
        (ids: value_result(1).shown(Layout::Words), size: NEEDED_SIZE, flags: Hex);
};

/// The size that was needed is given back whatever came of the call.
const NEEDED_SIZE: Type = updates_int().when(When::Always);
