//! Numbers: names, flags, modes, devices.

use super::super::names::NameSet;

/// `0x7f00`, or `NULL` as strace has it for an address of 0.
pub fn pointer(value: u64) -> String {
    if value == 0 { "NULL".to_string() } else { hex(value) }
}

/// `0x7f00`, and plain `0`.
pub fn hex(value: u64) -> String {
    if value == 0 { "0".to_string() } else { format!("{value:#x}") }
}

/// Permissions: `0644`.
pub fn mode(value: u64) -> String {
    format!("0{:03o}", value as u32)
}

/// File type and permissions: `S_IFREG|0644`.
pub fn file_mode(value: u64) -> String {
    let kind = match value as u32 & libc::S_IFMT {
        libc::S_IFREG => "S_IFREG",
        libc::S_IFDIR => "S_IFDIR",
        libc::S_IFLNK => "S_IFLNK",
        libc::S_IFCHR => "S_IFCHR",
        libc::S_IFBLK => "S_IFBLK",
        libc::S_IFIFO => "S_IFIFO",
        libc::S_IFSOCK => "S_IFSOCK",
        _ => return mode(value),
    };
    format!("{kind}|{}", mode(value & !u64::from(libc::S_IFMT)))
}

/// `makedev(0x8, 0x1)`.
pub fn device(value: u64) -> String {
    format!("makedev({}, {})", hex(libc::major(value).into()), hex(libc::minor(value).into()))
}

/// A descriptor, or `AT_FDCWD`.
pub fn directory(value: u64) -> String {
    if value as i32 == libc::AT_FDCWD { "AT_FDCWD".to_string() } else { (value as i32).to_string() }
}

/// A number by its names: `O_RDONLY|O_CLOEXEC`; what has no name in hexadecimal.
pub fn named(set: &NameSet, value: u64) -> String {
    // Arguments of 32 bits arrive sign-extended or with any upper half.
    let value = if value >> 32 == 0xffff_ffff { value as u32 as u64 } else { value };
    let choice = value & set.choice_mask;
    let mut rest = value & !set.choice_mask;
    let mut parts = Vec::new();
    match set.choices.iter().find(|(number, _)| *number == choice) {
        Some((_, name)) if set.choice_mask != 0 || value == 0 => parts.push((*name).to_string()),
        _ if choice != 0 && set.flags.is_empty() => return plain(choice),
        _ => rest |= choice,
    }
    for (flag, name) in set.flags {
        if *flag != 0 && rest & flag == *flag {
            parts.push((*name).to_string());
            rest &= !flag;
        }
    }
    if rest != 0 || parts.is_empty() {
        parts.push(hex(rest));
    }
    parts.join("|")
}

/// A choice without a name: small ones are counted, others are patterns.
fn plain(value: u64) -> String {
    if value < 256 { value.to_string() } else { hex(value) }
}
