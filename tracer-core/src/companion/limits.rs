//! Resource limits of this process.

use std::io;

/// The limits that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// RLIMIT_NOFILE: numbers of descriptors.
    OpenFiles,
    /// RLIMIT_FSIZE: bytes of a file, shared memory included.
    FileSize,
    /// RLIMIT_STACK: bytes of the stack, which also decide where the kernel starts mappings.
    Stack,
    /// RLIMIT_CPU: seconds of processor time.
    ProcessorTime,
    /// RLIMIT_CORE: bytes of a core dump.
    CoreDump,
}

impl Resource {
    fn number(self) -> libc::__rlimit_resource_t {
        match self {
            Resource::OpenFiles => libc::RLIMIT_NOFILE,
            Resource::FileSize => libc::RLIMIT_FSIZE,
            Resource::Stack => libc::RLIMIT_STACK,
            Resource::ProcessorTime => libc::RLIMIT_CPU,
            Resource::CoreDump => libc::RLIMIT_CORE,
        }
    }
}

/// A resource's limits, in the resource's unit; `u64::MAX` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    resource: Resource,
    /// What counts.
    pub soft: u64,
    /// What an unprivileged process may raise `soft` to.
    pub hard: u64,
}

/// Restores a limit when dropped.
pub struct Lifted(Option<Limit>);

impl Limit {
    /// This process's limits for `resource`.
    pub fn of(resource: Resource) -> io::Result<Limit> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel fills `limit`.
        if unsafe { libc::getrlimit(resource.number(), &mut limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Limit { resource, soft: limit.rlim_cur, hard: limit.rlim_max })
    }

    /// A limit to [`Limit::apply`].
    pub fn new(resource: Resource, soft: u64, hard: u64) -> Limit {
        Limit { resource, soft, hard }
    }

    /// Makes this the process's limit.
    pub fn apply(self) -> io::Result<()> {
        let limit = libc::rlimit { rlim_cur: self.soft, rlim_max: self.hard };
        // SAFETY: the kernel reads `limit`.
        match unsafe { libc::setrlimit(self.resource.number(), &limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Raises the soft limit as far as it goes without privilege.
    pub fn raise(self) -> io::Result<()> {
        Limit { soft: self.hard, ..self }.apply()
    }

    /// Raises the soft limit to at least `wanted` until the result is dropped, or says that the hard limit is
    /// lower.
    pub fn lift_to(self, wanted: u64) -> io::Result<Lifted> {
        if self.soft >= wanted {
            return Ok(Lifted(None));
        }
        if self.hard < wanted {
            return Err(io::Error::other(format!(
                "the hard limit for {:?} is {}, but {wanted} is needed; start from a shell without this limit",
                self.resource, self.hard
            )));
        }
        self.raise()?;
        Ok(Lifted(Some(self)))
    }
}

impl Drop for Lifted {
    fn drop(&mut self) {
        if let Some(limit) = self.0 {
            // Lowering a soft limit always works.
            let _ = limit.apply();
        }
    }
}
