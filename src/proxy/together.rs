//! A connection of hyper and what it spawns, in one task: waking a stream and the connection that carries it is then one
//! thing, and a stream needs no task of its own.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

/// Takes what a connection spawns, for a [`Together`]; clones are the same one.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<LocalBoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, future: F) {
        self.0.borrow_mut().push(Box::pin(future));
    }
}

/// A connection with what it spawned. It ends as the connection does; what is still to be done then is in [`Self::rest`].
pub struct Together<C> {
    connection: Pin<Box<C>>,
    running: Running,
}

struct Running {
    spawned: Spawner,
    all: FuturesUnordered<LocalBoxFuture<'static, ()>>,
}

impl<C: Future> Together<C> {
    /// A connection that was built with this spawner.
    pub fn new(connection: C, spawned: Spawner) -> Self {
        let running = Running { spawned, all: FuturesUnordered::new() };
        Self { connection: Box::pin(connection), running }
    }

    /// The connection itself.
    pub fn connection(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }

    /// Ends when the connection and all that it spawned have ended.
    pub async fn whole(mut self) {
        let _ = (&mut self).await;
        self.rest().await;
    }

    /// Drops the connection, and ends when all that was spawned has ended.
    pub async fn rest(self) {
        let Self { connection, mut running } = self;
        drop(connection);
        std::future::poll_fn(|task| running.poll(task)).await;
    }
}

impl Running {
    /// Whether something was spawned that has not begun yet.
    fn is_behind(&self) -> bool {
        !self.spawned.0.borrow().is_empty()
    }

    /// Ready when nothing runs any more.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        loop {
            self.all.extend(self.spawned.0.borrow_mut().drain(..));
            match self.all.poll_next_unpin(task) {
                Poll::Ready(None) if !self.is_behind() => return Poll::Ready(()),
                Poll::Pending if !self.is_behind() => return Poll::Pending,
                Poll::Ready(_) | Poll::Pending => {}
            }
        }
    }
}

impl<C: Future> Future for Together<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<C::Output> {
        let together = self.get_mut();
        // The streams before the connection, so that it sends what they have; then those that have just begun.
        let _ = together.running.poll(task);
        let ended = together.connection.as_mut().poll(task);
        if ended.is_pending() && together.running.is_behind() {
            let _ = together.running.poll(task);
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hyper::rt::Executor;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_spawned_runs_with_the_connection_and_outlives_it() {
        let (spawner, ended) = (Spawner::default(), Rc::new(Cell::new(0)));
        let (first, asked) = oneshot::channel();
        let (late, waits) = oneshot::channel::<()>();
        let connection = {
            let (spawner, ended) = (spawner.clone(), ended.clone());
            let (inner, counted) = (spawner.clone(), ended.clone());
            async move {
                // One that spawns another, which answers the connection; and one for which it does not wait.
                spawner.execute(async move {
                    inner.execute(async move {
                        counted.set(counted.get() + 1);
                        first.send(()).unwrap();
                    });
                });
                spawner.execute(async move {
                    waits.await.unwrap();
                    ended.set(ended.get() + 1);
                });
                asked.await
            }
        };
        let mut together = Together::new(connection, spawner);
        (&mut together).await.unwrap();
        assert_eq!(ended.get(), 1);
        let rest = tokio::task::LocalSet::new();
        let running = rest.run_until(async {
            let rest = tokio::task::spawn_local(together.rest());
            tokio::task::yield_now().await;
            assert!(!rest.is_finished(), "it waits for what was spawned");
            late.send(()).unwrap();
            rest.await.unwrap();
        });
        tokio::time::timeout(std::time::Duration::from_secs(5), running).await.expect("it ends");
        assert_eq!(ended.get(), 2);
    }
}
