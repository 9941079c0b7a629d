//! One thread with its own runtime: a task for each listener of the present table.

use std::collections::HashMap;
use std::io;

use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::http::Context;
use super::{door, edge};
use crate::route::Socket;
use crate::runtime::Handle;

/// Starts the proxy; it serves the tables that the handle publishes until the engine ends.
pub fn start(handle: Handle) -> io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("proxy".into()).spawn(move || {
        LocalSet::new().block_on(&runtime, serve(handle));
    })
}

async fn serve(handle: Handle) {
    let context = Context::new(handle.requests.clone(), handle.asks.clone());
    let mut tables = handle.table.clone();
    let mut ending = handle.ending.clone();
    let mut tasks: HashMap<u16, JoinHandle<()>> = HashMap::new();
    loop {
        let table = tables.borrow_and_update().clone();
        let edges = table.edges.iter().map(|edge| (edge.listen, &edge.socket));
        let published = table.published.iter().map(|published| (published.number, &published.socket));
        let listeners: HashMap<u16, &Socket> = edges.chain(published).collect();
        let wanted = |number: &u16| *number == table.front_door || listeners.contains_key(number);
        tasks.retain(|number, task| {
            let keep = wanted(number);
            if !keep {
                task.abort();
            }
            keep
        });
        for (&number, socket) in &listeners {
            if let Some(listener) = socket.take() {
                let task = spawn_local(edge::serve(number, listener, tables.clone(), context.clone()));
                tasks.insert(number, task);
            }
        }
        if let Some(listener) = table.front_door_socket.take() {
            let task = spawn_local(door::serve(listener, tables.clone(), context.clone()));
            tasks.insert(table.front_door, task);
        }
        tokio::select! {
            changed = tables.changed() => if changed.is_err() { return },
            _ = ending.wait_for(|ending| *ending) => break,
        }
    }
    // Services may still call each other while they stop.
    while tables.changed().await.is_ok() {}
}
