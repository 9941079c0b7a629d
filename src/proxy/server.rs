//! One thread with its own runtime: a task for each listener of the present table.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::rc::Rc;

use jiff::Timestamp;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{JoinHandle, spawn_local};

use super::copies::Mirrors;
use super::door::Door;
use super::http::Context;
use super::routing::Router;
use super::{door, edge, pods, standard};
use crate::effects::places::Places;
use crate::effects::standard_ports::Claim;
use crate::route::on_loopback;
use crate::runtime::Handle;

/// What the front door needs beside the handle.
pub struct Entrance {
    pub places: Places,
    /// The folder of the services' output.
    pub logs: PathBuf,
    /// When the engine was started.
    pub began: Timestamp,
    /// Ports 80 and 443, where they were asked for.
    pub standard: Option<Claim>,
}

/// Starts the proxy; it serves the tables that the handle publishes until the engine ends.
pub fn start(handle: Handle, entrance: Entrance) -> io::Result<std::thread::JoinHandle<()>> {
    let (ready, started) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("proxy".into()).spawn(move || {
        // It stays on the thread on which it was made.
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        drop(ready.send(Ok(())));
        runtime.block_on(serve(handle, entrance));
    })?;
    started.recv().unwrap_or_else(|_| Err(io::Error::other("the proxy's thread ended at once")))?;
    Ok(thread)
}

async fn serve(handle: Handle, entrance: Entrance) {
    let router = Router::new(handle.table.clone(), handle.routes.clone());
    let context = Context::new(handle.requests.clone(), handle.asks.clone()).routed(router);
    let context = context.mirrored(Mirrors::new(handle.mirrors.clone()));
    let mut tables = handle.table.clone();
    let Entrance { places, logs, began, standard } = entrance;
    let front = Rc::new(Door::new(tables.clone(), context.clone(), handle.board.clone(), places.clone(), logs, began));
    let standard = standard.map(|claim| spawn_local(standard::serve(claim, tables.clone(), places)));
    let mut ending = handle.ending.clone();
    context.pool.dialer.pods.look_in(handle.pods.directory.clone(), handle.table.clone());
    if let Some(news) = handle.pods.take() {
        let (tables, context, door) = (handle.table.clone(), context.clone(), front.clone());
        spawn_local(pods::serve(news, pods::Surroundings { tables, context, door }));
    }
    let mut tasks: HashMap<SocketAddrV4, JoinHandle<()>> = HashMap::new();
    loop {
        let table = tables.borrow_and_update().clone();
        let front_door = on_loopback(table.front_door);
        tasks.retain(|at, task| {
            let keep = *at == front_door || table.listeners.contains_key(at);
            if !keep {
                task.abort();
            }
            keep
        });
        for (&at, listener) in &table.listeners {
            if let Some(listener) = listener.socket.take() {
                let task = spawn_local(edge::serve(at, listener, tables.clone(), context.clone()));
                tasks.insert(at, task);
            }
        }
        if let Some(listener) = table.front_door_socket.take() {
            let task = spawn_local(door::serve(listener, table.front_door, front.clone()));
            tasks.insert(front_door, task);
        }
        tokio::select! {
            changed = tables.changed() => if changed.is_err() { return },
            _ = ending.wait_for(|ending| *ending) => break,
        }
    }
    // Another engine may have the standard ports from now on.
    if let Some(task) = standard {
        task.abort();
    }
    // Services may still call each other while they stop.
    while tables.changed().await.is_ok() {}
}
