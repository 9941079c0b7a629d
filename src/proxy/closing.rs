//! When a connection should end though its caller would keep it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

use super::routing::Router;
use crate::route::{Availability, Upstream};

/// Becomes ready once a connection should end.
pub struct Closing(Option<Watch>);

struct Watch {
    /// Changes when there is something to look at.
    changes: watch::Receiver<Availability>,
    absent: Pin<Box<dyn Future<Output = ()>>>,
    /// The callee has gone: then others matter.
    is_absent: bool,
    /// Who is woken by a change.
    waker: Option<Waker>,
}

impl Closing {
    /// It never should.
    pub fn never() -> Self {
        Self(None)
    }

    /// It should when its callee goes, and calls to it lead to nobody else. `caller` is the service that calls, if it is one.
    pub fn with(callee: Arc<Upstream>, router: Router, caller: Option<Arc<str>>) -> Self {
        let mut availability = callee.availability.clone();
        let changes = availability.clone();
        let absent = Box::pin(async move {
            while availability.wait_for(|now| matches!(now, Availability::Absent(_))).await.is_ok() {
                let reach = router.reach(&callee, caller.as_ref());
                if reach.is_refused {
                    return;
                }
                reach.changed().await;
            }
        });
        Self(Some(Watch { changes, absent, is_absent: false, waker: None }))
    }
}

impl Future for Closing {
    type Output = ();

    /// Polled with every request: while nothing has changed, that costs no more than to see so.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(watch) = &mut self.get_mut().0 else { return Poll::Pending };
        let is_awaited = watch.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_awaited && !watch.is_absent && matches!(watch.changes.has_changed(), Ok(false)) {
            return Poll::Pending;
        }
        // What changes from here on is looked at the next time.
        watch.changes.mark_unchanged();
        watch.waker = Some(context.waker().clone());
        watch.is_absent = matches!(*watch.changes.borrow(), Availability::Absent(_));
        watch.absent.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::model::Egress;
    use crate::supervise::State;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn upstream() -> (watch::Sender<Availability>, Arc<Upstream>) {
        let (sender, availability) = watch::channel(Availability::Ready);
        let (called, own, egress) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, Egress::Allow);
        let replicas = crate::route::Replicas::Fixed;
        let upstream = Upstream {
            name: "web".into(),
            version: None,
            remote: None,
            called,
            own,
            egress,
            ports: Vec::new(),
            availability,
            replicas,
        };
        (sender, Arc::new(upstream))
    }

    /// Polls for a task, and tells whether it is ready and how often the task was woken before.
    fn poll(closing: &mut Closing, task: &Arc<Count>) -> (bool, usize) {
        let waker = Waker::from(task.clone());
        let is_ready = Pin::new(closing).poll(&mut Context::from_waker(&waker)).is_ready();
        (is_ready, task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn whoever_asked_last_is_woken_by_every_change() {
        let (sender, upstream) = upstream();
        let mut closing = Closing::with(upstream, Router::default(), None);
        let (first, second) = (Arc::default(), Arc::default());
        assert_eq!(poll(&mut closing, &first), (false, 0));
        sender.send_replace(Availability::Coming(State::Starting));
        assert_eq!(poll(&mut closing, &first), (false, 1));
        assert_eq!(poll(&mut closing, &first), (false, 1));
        assert_eq!(poll(&mut closing, &second), (false, 0));
        sender.send_replace(Availability::Ready);
        assert_eq!(poll(&mut closing, &second), (false, 1));
        sender.send_replace(Availability::Absent(State::Stopped));
        assert_eq!(poll(&mut closing, &second), (true, 2));
    }

    #[test]
    fn a_service_that_is_no_more_is_not_called_on() {
        let (sender, upstream) = upstream();
        let (mut closing, task) = (Closing::with(upstream, Router::default(), None), Arc::default());
        assert_eq!(poll(&mut closing, &task), (false, 0));
        drop(sender);
        assert_eq!(poll(&mut closing, &task), (true, 1));
    }
}
