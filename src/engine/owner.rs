//! To whom an engine belongs: the `up` that started it, until that lets go of it.

use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::signal::unix::{SignalKind, signal};

use crate::runtime::{Ask, Handle};

/// The word by which an owner gives up its engine; without it, the owner's end is the engine's.
const RELEASE: &[u8] = b"release\n";

/// The word with which an owner gives it to another process; what counts is what comes along.
const GIVEN: &[u8] = b"\n";

/// Lets go of an engine.
pub fn release(mut engine: UnixStream) {
    let _ = engine.write_all(RELEASE);
}

/// Gives the owner's end to another process, at the other end of a socket.
pub fn give(engine: &UnixStream, to: BorrowedFd<'_>) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let with = [engine.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&with));
    sendmsg(to, &[IoSlice::new(GIVEN)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes the owner's end that another process has given; none where none was. This waits for nobody.
pub fn take(from: &UnixStream) -> Option<UnixStream> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; GIVEN.len()];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    recvmsg(from, &mut [IoSliceMut::new(&mut word)], &mut control, flags).ok()?;
    let mut rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut given) => given.next(),
        _ => None,
    });
    rights.next().map(UnixStream::from)
}

/// Takes it as soon as it is given; none where the other end closes without.
pub async fn given(from: &UnixStream) -> Option<UnixStream> {
    #[expect(deprecated, reason = "the other way is unsafe; a descriptor that is borrowed is never another")]
    let told = AsyncFd::with_interest(from.as_fd(), Interest::READABLE).ok()?;
    let _told = told.readable().await.ok()?;
    take(from)
}

/// Stops everything when the owner is gone without that word.
pub async fn end_with_owner(owner: UnixStream, handle: Handle) {
    if owner.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(mut owner) = tokio::net::UnixStream::from_std(owner) else { return };
    let mut word = Vec::new();
    let _ = owner.read_to_end(&mut word).await;
    if !word.ends_with(RELEASE) {
        let _ = handle.asks.send(Ask::Down { force: false });
    }
}

/// SIGTERM stops everything in order; a second one kills.
pub async fn end_on_signal(handle: Handle) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let mut force = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = handle.asks.send(Ask::Down { force });
        force = true;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_engine_goes_from_one_owner_to_another() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert!(take(&theirs).is_none(), "nobody has given any");
        let (engine, mut told) = UnixStream::pair().unwrap();
        give(&engine, ours.as_fd()).unwrap();
        // Whoever gave it ends, and the engine has its owner all the same.
        drop((engine, ours));
        let taken = take(&theirs).unwrap();
        assert!(take(&theirs).is_none());
        release(taken);
        let mut word = Vec::new();
        told.read_to_end(&mut word).unwrap();
        assert_eq!(word, RELEASE);
        let (engine, _told) = UnixStream::pair().unwrap();
        drop(theirs);
        let (nobody, gone) = UnixStream::pair().unwrap();
        drop(gone);
        assert!(give(&engine, nobody.as_fd()).is_err());
    }

    #[tokio::test]
    async fn an_engine_is_taken_when_it_is_given_and_not_when_its_giver_ends() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (engine, _told) = UnixStream::pair().unwrap();
        // The giver goes on until it has been taken.
        let (taken, given) = tokio::join!(given(&ours), async { give(&engine, theirs.as_fd()) });
        given.unwrap();
        assert!(taken.is_some());
        let (none, ()) = tokio::join!(super::given(&ours), async { drop(theirs) });
        assert!(none.is_none());
    }
}
