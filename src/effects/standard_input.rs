//! Standard input without a thread: nothing is left that reads when nobody wants more.

use std::io;
use std::os::fd::AsFd;

use tokio::io::unix::AsyncFd;

/// What is typed, or comes in through a pipe or a file.
#[derive(Debug)]
pub enum StandardInput {
    Waits(AsyncFd<std::os::fd::OwnedFd>),
    /// Files are always readable.
    File(std::os::fd::OwnedFd),
    Over,
}

impl StandardInput {
    /// Standard input.
    pub fn open() -> Self {
        let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned() else { return Self::Over };
        #[expect(deprecated, reason = "the other way is unsafe; a descriptor that is owned is never another")]
        let registered = AsyncFd::try_new(stdin);
        match registered {
            Ok(waits) => Self::Waits(waits),
            Err(refused) => Self::File(refused.into_parts().0),
        }
    }

    /// Whether its end has come.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// The next bytes; never ready again after the last ones.
    pub async fn next(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let read = match self {
            Self::Over => std::future::pending().await,
            Self::File(file) => rustix::io::read(&*file, &mut *buffer),
            Self::Waits(waits) => match waits.readable().await {
                Ok(mut guard) => {
                    // Without changing it for others who have it, as the shell has: it stays one that waits.
                    if !is_readable(waits.get_ref()) {
                        guard.clear_ready();
                        return None;
                    }
                    rustix::io::read(waits.get_ref(), &mut *buffer)
                }
                Err(_) => Ok(0),
            },
        };
        match read {
            Ok(0) => *self = Self::Over,
            Ok(count) => return Some(count),
            Err(error) if error == rustix::io::Errno::INTR || error == rustix::io::Errno::AGAIN => {}
            Err(_) => *self = Self::Over,
        }
        None
    }
}

/// Whether a read would not wait.
fn is_readable(file: &std::os::fd::OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&now)).is_ok_and(|count| count > 0)
}
