//! Numbers: names, flags, modes, devices.

use super::super::names::NameSet;

/// `-12`. Most of what is printed are numbers, and the formatting of the standard library takes five times as long.
pub fn decimal(out: &mut String, value: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// `0x7f00`, or `NULL` as strace has it for an address of 0.
pub fn pointer(out: &mut String, value: u64) {
    if value == 0 {
        out.push_str("NULL");
    } else {
        hex(out, value);
    }
}

/// `0x7f00`, and plain `0`.
pub fn hex(out: &mut String, value: u64) {
    if value == 0 {
        out.push('0');
        return;
    }
    out.push_str("0x");
    for at in (0..=value.ilog2() / 4).rev() {
        let digit = (value >> (4 * at) & 0xf) as u8;
        out.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

/// Permissions: `0644`.
pub fn mode(out: &mut String, value: u64) {
    put!(out, "0{:03o}", value as u32);
}

/// File type and permissions: `S_IFREG|0644`.
pub fn file_mode(out: &mut String, value: u64) {
    let kind = match value as u32 & libc::S_IFMT {
        libc::S_IFREG => "S_IFREG|",
        libc::S_IFDIR => "S_IFDIR|",
        libc::S_IFLNK => "S_IFLNK|",
        libc::S_IFCHR => "S_IFCHR|",
        libc::S_IFBLK => "S_IFBLK|",
        libc::S_IFIFO => "S_IFIFO|",
        libc::S_IFSOCK => "S_IFSOCK|",
        _ => return mode(out, value),
    };
    out.push_str(kind);
    mode(out, value & !u64::from(libc::S_IFMT));
}

/// `makedev(0x8, 0x1)`.
pub fn device(out: &mut String, value: u64) {
    out.push_str("makedev(");
    hex(out, libc::major(value).into());
    out.push_str(", ");
    hex(out, libc::minor(value).into());
    out.push(')');
}

/// A descriptor, or `AT_FDCWD`.
pub fn directory(out: &mut String, value: u64) {
    match value as i32 {
        libc::AT_FDCWD => out.push_str("AT_FDCWD"),
        descriptor => decimal(out, descriptor),
    }
}

/// A number by its names: `O_RDONLY|O_CLOEXEC`; what has no name in hexadecimal.
pub fn named(out: &mut String, set: &NameSet, value: u64) {
    // Arguments of 32 bits arrive sign-extended or with any upper half.
    let value = if value >> 32 == 0xffff_ffff { value as u32 as u64 } else { value };
    let choice = value & set.choice_mask;
    let mut rest = value & !set.choice_mask;
    let begin = out.len();
    let part = |out: &mut String| {
        if out.len() > begin {
            out.push('|');
        }
    };
    match set.choices.iter().find(|(number, _)| *number == choice) {
        Some((_, name)) if set.choice_mask != 0 || value == 0 => out.push_str(name),
        _ if choice != 0 && set.flags.is_empty() => return plain(out, choice),
        _ => rest |= choice,
    }
    for (flag, name) in set.flags {
        if *flag != 0 && rest & flag == *flag {
            part(out);
            out.push_str(name);
            rest &= !flag;
        }
    }
    if rest != 0 || out.len() == begin {
        part(out);
        hex(out, rest);
    }
}

/// A choice without a name: small ones are counted, others are patterns.
fn plain(out: &mut String, value: u64) {
    if value < 256 { decimal(out, value) } else { hex(out, value) }
}
