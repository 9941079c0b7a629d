//! TLS at the front door: a certificate for each name that is asked for, made then and kept in memory.
//!
//! Nothing of it runs before the first connection that begins with a TLS record.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::effects::authority::{Authority, DOMAIN};
use crate::effects::clock;
use crate::effects::places::Places;

/// A client that has begun gets this long to come to an end.
const PATIENCE: Duration = Duration::from_secs(10);
/// An engine that runs for long makes a certificate again before it runs out.
const FRESH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Certificates that are kept: a client may make up names.
const KEPT: usize = 1024;
/// Whoever calls by address sends no name.
const NAMELESS: [&str; 3] = [DOMAIN, "127.0.0.1", "::1"];

/// The server side of TLS, which comes into being with its first connection.
pub struct Tls {
    places: Places,
    acceptor: OnceCell<TlsAcceptor>,
}

impl Tls {
    /// TLS by the authority of this user.
    pub fn new(places: Places) -> Self {
        Self { places, acceptor: OnceCell::new() }
    }

    /// Shakes hands on a connection that begins with a handshake record.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.acceptor.get_or_try_init(|| open(self.places.clone())).await?;
        tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await?
    }
}

/// Off the thread that serves: files are read, and another process may be making the authority.
async fn open(places: Places) -> io::Result<TlsAcceptor> {
    let opened = tokio::task::spawn_blocking(move || acceptor(&places)).await;
    let opened = opened.unwrap_or_else(|error| Err(io::Error::other(error)));
    #[allow(clippy::print_stderr, reason = "standard error is the engine's log")]
    if let Err(error) = &opened {
        eprintln!("{} no https at the front door: {error}", clock::utc());
    }
    opened
}

fn acceptor(places: &Places) -> io::Result<TlsAcceptor> {
    let certificates = Certificates::new(Authority::open(places)?)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All certificates share one key, which lives as long as this.
#[derive(Debug)]
struct Certificates {
    authority: Authority,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    made: Mutex<HashMap<String, (Instant, Arc<CertifiedKey>)>>,
}

impl Certificates {
    fn new(authority: Authority) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_ecdsa_type(&der).map_err(io::Error::other)?;
        Ok(Self { authority, key, signing, made: Mutex::default() })
    }

    /// The certificate of a name; none for a name that is not below our domain, as nobody would believe it.
    fn of(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase);
        let known = name.as_deref().is_none_or(|name| name.rsplit('.').next() == Some(DOMAIN));
        if !known {
            return None;
        }
        let now = clock::instant();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = name.unwrap_or_default();
        if let Some((at, certificate)) = made.get(&key)
            && now.duration_since(*at) < FRESH
        {
            return Some(certificate.clone());
        }
        let names = if key.is_empty() { NAMELESS.to_vec() } else { vec![key.as_str()] };
        let certificate = self.authority.certify(&names, &self.key).ok()?;
        let certificate = Arc::new(CertifiedKey::new(vec![certificate], self.signing.clone()));
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(key, (now, certificate.clone()));
        Some(certificate)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(hello.server_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_certified_and_not_twice() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { state: folder.path().join("state"), runtime: folder.path().join("run") };
        let certificates = Certificates::new(Authority::open(&places).unwrap()).unwrap();
        let same = |a: Option<&str>, b: Option<&str>| {
            Arc::ptr_eq(&certificates.of(a).expect("a certificate"), &certificates.of(b).expect("a certificate"))
        };
        assert!(same(Some("web.shop.localhost"), Some("WEB.shop.localhost")) && same(None, None));
        assert!(!same(Some("localhost"), None));
        for stranger in ["example.com", "localhost.example.com", "mylocalhost"] {
            assert!(certificates.of(Some(stranger)).is_none(), "{stranger}");
        }
        for number in 0..2 * KEPT {
            certificates.of(Some(&format!("n{number}.localhost"))).expect("a certificate");
        }
        assert!(certificates.made.lock().unwrap().len() <= KEPT);
    }
}
