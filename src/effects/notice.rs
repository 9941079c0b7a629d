//! The kernel's word that something changed in a folder (inotify(7)).

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use tokio::net::unix::pipe::Receiver;

/// Folders that are watched.
#[derive(Debug)]
pub struct Watch(Receiver);

impl Watch {
    /// Watches folders, not what is in folders below them.
    pub fn new(folders: &[PathBuf]) -> io::Result<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let kinds =
            WatchFlags::CLOSE_WRITE | WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ATTRIB;
        for folder in folders {
            match add_watch(&inotify, folder, kinds) {
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(rustix::io::Errno::NOSPC) => {
                    let message =
                        "no more folders can be watched: `sysctl fs.inotify.max_user_watches` says how many may be";
                    return Err(io::Error::new(ErrorKind::StorageFull, message));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // It is no pipe, and is read like one.
        Receiver::from_owned_fd_unchecked(inotify).map(Self)
    }

    /// Waits until something changed. What it was is better looked at than believed.
    pub async fn next(&mut self) -> io::Result<()> {
        self.0.readable().await?;
        let mut bytes = [0; 4096];
        while self.0.try_read(&mut bytes).is_ok_and(|count| count > 0) {}
        Ok(())
    }
}
