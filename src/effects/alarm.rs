//! Wakes the loop at a moment. The runtime's timers know whole milliseconds and come up to one late, which is long beside
//! the start of a small program: what is near is left to the kernel.

use std::time::{Duration, Instant};

/// From here on a millisecond more does not matter.
const FAR: Duration = Duration::from_millis(8);

/// One timer, set anew by each wait.
#[derive(Debug)]
pub struct Alarm {
    near: Option<Near>,
}

impl Alarm {
    /// A timer of the present runtime. Without one of the kernel's it is only less exact.
    pub fn of_this_runtime() -> Self {
        Self { near: Near::new() }
    }

    /// Waits until a moment; for ever where there is none.
    pub async fn wait(&self, until: Option<Instant>) {
        let Some(until) = until else { return std::future::pending().await };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match &self.near {
            Some(near) if left < FAR && near.wait(left).await.is_ok() => {}
            _ => tokio::time::sleep_until(until.into()).await,
        }
    }
}

#[cfg(target_os = "linux")]
use linux::Near;
#[cfg(not(target_os = "linux"))]
use portable::Near;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel (timerfd_create(2)).
    #[derive(Debug)]
    pub struct Near(AsyncFd<OwnedFd>);

    impl Near {
        pub fn new() -> Option<Self> {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            #[expect(deprecated, reason = "the other way is unsafe; a descriptor that is owned is never another")]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE);
            timer.ok().map(Self)
        }

        /// Waits for so long, which is not nothing. What an earlier wait has left is forgotten by setting it.
        pub async fn wait(&self, left: Duration) -> io::Result<()> {
            let it_value = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            let read = |timer: &OwnedFd| Ok(rustix::io::read(timer, &mut [0; 8])?);
            self.0.async_io(Interest::READABLE, read).await.map(drop)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::time::Duration;

    /// There is none.
    #[derive(Debug)]
    pub enum Near {}

    impl Near {
        pub fn new() -> Option<Self> {
            None
        }

        pub async fn wait(&self, _left: Duration) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_at_least_so_long_whatever_waited_before() {
        let alarm = Alarm::of_this_runtime();
        for micros in [300, 1, 2500, 9000, 700] {
            // One that is given up leaves its time behind, and one that has come its readiness.
            let soon = Instant::now() + Duration::from_micros(100);
            let _ = tokio::time::timeout(Duration::ZERO, alarm.wait(Some(soon))).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let until = Instant::now() + Duration::from_micros(micros);
            alarm.wait(Some(until)).await;
            assert!(Instant::now() >= until, "{micros}");
        }
        alarm.wait(Some(Instant::now())).await;
        assert!(tokio::time::timeout(Duration::from_millis(1), alarm.wait(None)).await.is_err());
    }
}
