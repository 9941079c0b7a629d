//! Listeners on the host, and whom they lead to.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use super::Upstream;

/// A listener that leads to one port of one service.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The service that calls there; none where it is published for everybody outside.
    pub from: Option<Arc<str>>,
    pub to: Arc<Upstream>,
    /// The place of the port in the callee's list.
    pub port: usize,
    pub socket: Socket,
}

/// A listening socket on its way from whoever opened it to the proxy; clones are the same one.
/// The default one was never opened.
#[derive(Debug, Clone, Default)]
pub struct Socket(Option<Arc<Mutex<Option<TcpListener>>>>);

impl Socket {
    /// A socket to be taken.
    pub fn new(listener: TcpListener) -> Self {
        Self(Some(Arc::new(Mutex::new(Some(listener)))))
    }

    /// Takes it; `None` for everybody but the first.
    pub fn take(&self) -> Option<TcpListener> {
        self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it was ever opened.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

/// A number at the address where everybody on this machine looks.
pub fn on_loopback(number: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, number)
}
