//! Pods from the engine's side: made with each launch, known to the proxy as long as they are there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc;

use super::listeners::{Listeners, listens};
use crate::launcher::Line;
use crate::launcher::pod::{self, Handover, LISTENER};
use crate::model::Egress;
use crate::plan::{HOST, Planned, RANGE};
use crate::supervise::Incarnation;

/// What the proxy is told of pods.
#[derive(Debug)]
pub enum News {
    Opened(Opened),
    /// Nothing in it runs any more.
    Closed(Incarnation),
}

/// A pod that is complete: its program is about to start.
#[derive(Debug)]
pub struct Opened {
    pub incarnation: Incarnation,
    pub service: Arc<str>,
    pub line: Arc<Line>,
    /// All streams that leave the pod.
    pub listener: OwnedFd,
    /// All its questions of names.
    pub names: OwnedFd,
    /// Whether the service's callers are to be sent there; a setup step's pod only calls.
    pub serves: bool,
}

/// The proxy's end of the news, to be taken once.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Arc<Mutex<Option<mpsc::UnboundedReceiver<News>>>>);

impl Inbox {
    /// An inbox and the way to it.
    pub fn new() -> (mpsc::UnboundedSender<News>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Arc::new(Mutex::new(Some(receiver)))))
    }

    /// Takes it; `None` for everybody but the first.
    pub fn take(&self) -> Option<mpsc::UnboundedReceiver<News>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the launcher needs to make a pod: its parts, and its end of the line.
pub type PodOrder = (pod::Pod, OwnedFd);

/// What the launcher needs to start a program that has only its own files, in network mode `names`. Nothing comes out of
/// there and nothing is asked for, so the line's other end is closed at once.
pub fn private_files(etc: &Path) -> std::io::Result<PodOrder> {
    let (_closed, end) = std::os::unix::net::UnixStream::pair()?;
    Ok((pod::Pod { etc: etc.as_os_str().as_encoded_bytes().to_vec(), network: None }, end.into()))
}

/// A pod as the engine's loop knows it.
#[derive(Debug, Clone)]
pub struct Pod {
    pub line: Arc<Line>,
    address: Ipv4Addr,
    /// There once the pod is complete.
    diagnosis: Arc<OnceLock<OwnedFd>>,
}

impl Pod {
    /// A pod to be, and what the launcher needs to make it. When it is complete, `news` says so.
    pub fn order(
        planned: &Planned,
        etc: &[u8],
        front_door: u16,
        incarnation: Incarnation,
        serves: bool,
        news: &mpsc::UnboundedSender<News>,
    ) -> std::io::Result<(Self, PodOrder)> {
        let address = planned.addresses.own;
        let (line, end) = Line::new(address)?;
        let pod = Self { line: Arc::new(line), address, diagnosis: Arc::default() };
        let listens_itself = |number: u16| planned.ports.iter().any(|port| port.number == number);
        let order = pod::Pod {
            etc: etc.to_vec(),
            network: Some(pod::Network {
                address,
                range: RANGE,
                host_name: planned.name.as_str().as_bytes().to_vec(),
                answers_names: listens_itself(53),
                front_door: if listens_itself(front_door) { 0 } else { front_door },
                confined: (planned.egress == Egress::Deny).then_some(HOST),
            }),
        };
        let (known, service, news) = (pod.clone(), planned.name.as_str().into(), news.clone());
        tokio::spawn(async move {
            // Where it is never complete, the launcher tells why.
            let Ok(Handover { listener, names, diagnosis }) = known.line.handover().await else { return };
            let _ = known.diagnosis.set(diagnosis);
            let _ = news.send(News::Opened(Opened { incarnation, service, line: known.line, listener, names, serves }));
        });
        Ok((pod, (order, end)))
    }

    /// Whether a program in it listens on a port.
    pub fn listens(&self, port: u16) -> bool {
        let addresses: [IpAddr; 3] = [self.address.into(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        self.diagnosis.get().is_some_and(|socket| listens(socket, port, &addresses))
    }

    /// All ports on which programs in it listen.
    pub fn ports(&self) -> Vec<u16> {
        let listeners = self.diagnosis.get().and_then(|socket| Listeners::look_by(socket).ok()).unwrap_or_default();
        listeners.ports().into_iter().filter(|port| *port != LISTENER).collect()
    }
}
