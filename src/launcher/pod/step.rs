//! Where the making of a pod failed, in words that help.

use std::io;

/// A step on the way into a pod, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    Namespaces,
    Maps,
    Mounts,
    HostName,
    Addresses,
    Redirects,
    Sockets,
    Handover,
    /// The program itself, in a pod or not.
    Exec,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Namespaces,
        Self::Maps,
        Self::Mounts,
        Self::HostName,
        Self::Addresses,
        Self::Redirects,
        Self::Sockets,
        Self::Handover,
        Self::Exec,
    ];

    /// As a number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The step of a number on the wire.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// What was being done, after "cannot".
    pub fn what(self) -> &'static str {
        match self {
            Self::Namespaces => "make namespaces",
            Self::Maps => "map the account's ids",
            Self::Mounts => "mount private files",
            Self::HostName => "set the host name",
            Self::Addresses => "set up the network",
            Self::Redirects => "redirect calls (nf_tables nat)",
            Self::Sockets => "open the pod's sockets",
            Self::Handover => "hand over the pod's sockets",
            Self::Exec => "execute the program",
        }
    }
}

/// A step and the error of the system call that failed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub step: Step,
    pub errno: i32,
}

impl Failure {
    /// The system's error.
    pub fn error(self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {}: {}", self.step.what(), self.error())
    }
}

impl Step {
    /// A failure in this step, of a system call.
    pub fn failed(self) -> impl Fn(rustix::io::Errno) -> Failure {
        move |errno| Failure { step: self, errno: errno.raw_os_error() }
    }

    /// A failure in this step, as the standard library tells it.
    pub fn broke(self) -> impl Fn(io::Error) -> Failure {
        move |error| Failure { step: self, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}
