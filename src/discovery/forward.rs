//! Names that are not ours, from the host's servers.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hickory_proto::op::ResponseCode;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::answer::Transport;
use super::exchange::{tcp, udp, with_id};
use super::host::Host;
use super::message::{Query, question};

/// So long a question takes at most. Clients ask again after 5 s (glibc, Go) or 2.5 s (musl), and give up before that
/// where they were told to.
const BUDGET: Duration = Duration::from_secs(3);
/// A server that is silent for so long gets company; its answer still counts.
const PATIENCE: Duration = Duration::from_millis(700);
/// Questions under way at once; each has a socket for every server that it was put to.
const MOST: usize = 256;

impl Default for Forwarder {
    /// To the servers of this host.
    fn default() -> Self {
        Self::new(Host::this())
    }
}

/// Asks the host's servers for everybody.
#[derive(Debug)]
pub struct Forwarder {
    pub(super) host: Host,
    places: Semaphore,
}

impl Forwarder {
    /// A forwarder to the servers of this host.
    pub fn new(host: Host) -> Self {
        Self { host, places: Semaphore::new(MOST) }
    }

    /// The answer to a query as the first server gave it that had one, with the client's id; SERVFAIL where none did.
    pub(super) async fn forward(&self, query: &Query<'_>, transport: Transport) -> Vec<u8> {
        let servers = self.host.servers();
        let asked = async {
            let _place = self.places.acquire().await.ok()?;
            ask(&servers, query, transport).await
        };
        let reply = timeout(BUDGET, asked).await.ok().flatten();
        match reply {
            // A refusal that leaves the question out would not be known again by the client.
            Some(reply) if question(&reply).is_none() => query.error(ResponseCode::from(0, reply[3] & 0xf)),
            Some(reply) => with_id(&reply, query.id()),
            None => query.error(ResponseCode::ServFail),
        }
    }
}

/// Asks one server after the other, the next when one fails or is silent, and listens to all that were asked. An
/// error of a server is the answer only where none does better.
async fn ask(servers: &[SocketAddr], query: &Query<'_>, transport: Transport) -> Option<Vec<u8>> {
    let mut others = servers.iter();
    let mut asked = FuturesUnordered::new();
    let mut refusal = None;
    loop {
        asked.extend(others.next().map(|server| exchange(*server, query, transport)));
        tokio::select! {
            reply = asked.next() => match reply {
                Some(Some(reply)) if is_refusal(&reply) => refusal = Some(reply),
                Some(Some(reply)) => return Some(reply),
                Some(None) => {}
                None => return refusal,
            },
            () = sleep(PATIENCE), if others.len() > 0 => {}
        }
    }
}

/// One server's answer. A client that came over TCP can take it whole, another has to be told to.
async fn exchange(server: SocketAddr, query: &Query<'_>, transport: Transport) -> Option<Vec<u8>> {
    let limit = query.limit();
    let reply = udp(server, query.bytes, limit).await.ok()?;
    let is_whole = !is_truncated(&reply) && reply.len() <= usize::from(limit);
    match transport == Transport::Udp || is_whole {
        true => Some(reply),
        false => tcp(server, query.bytes).await.ok(),
    }
}

fn is_truncated(reply: &[u8]) -> bool {
    reply[2] & 2 != 0
}

/// Another server may do better, as resolvers see it.
fn is_refusal(reply: &[u8]) -> bool {
    let code = ResponseCode::from(0, reply[3] & 0xf);
    matches!(code, ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused)
}
