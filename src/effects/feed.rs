//! The open end of what a program reads that has no terminal (Compose's `stdin_open`).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::net::unix::pipe;

/// What is typed into this, a program reads; clones are the same one. While there is one, the program's input does not end.
#[derive(Debug, Clone)]
pub struct Feed(Arc<pipe::Sender>);

impl Feed {
    /// A feed, and the end of it for the program.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let (stdin, typed) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok((Self(Arc::new(pipe::Sender::from_owned_fd(typed)?)), stdin))
    }

    /// Types something; an error where nobody reads it any more.
    pub async fn write(&self, mut typed: &[u8]) -> io::Result<()> {
        while !typed.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(typed) {
                Ok(count) => typed = &typed[count..],
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Until nobody reads any more.
    pub async fn closed(&self) {
        while let Ok(ready) = self.0.ready(Interest::ERROR).await {
            if ready.is_error() || ready.is_write_closed() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn what_is_typed_arrives_until_nobody_reads() {
        let (feed, stdin) = Feed::open().unwrap();
        let typed = vec![b'x'; 200_000];
        let reader = std::thread::spawn(move || {
            let mut read = vec![0; 200_000];
            std::fs::File::from(stdin).read_exact(&mut read).map(|()| read)
        });
        feed.write(&typed).await.unwrap();
        feed.closed().await;
        assert_eq!(reader.join().unwrap().unwrap(), typed);
        assert!(feed.write(b"more").await.is_err());
    }
}
