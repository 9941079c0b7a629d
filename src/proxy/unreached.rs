//! Why a service that is looked for in another place does not answer there, and what helps.

use std::io;
use std::sync::Arc;

use rustls::CertificateError;

use crate::route::Remote;

/// A service that was called at a remote in vain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} at {remote} ({url}): {reason}")]
pub struct Unreached {
    service: Arc<str>,
    remote: Arc<str>,
    url: String,
    reason: String,
    kind: Kind,
    /// The entry by which it was looked for there, where that was not for all.
    by: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nobody vouches for its certificate here.
    Untrusted,
    Late,
    Other,
}

impl Unreached {
    /// By a connection that did not come about.
    pub fn new(service: &Arc<str>, remote: &Remote, error: &io::Error) -> Self {
        let (kind, reason) = match certificate(error) {
            Some(reason) => (Kind::Untrusted, reason),
            None if error.kind() == io::ErrorKind::TimedOut => {
                (Kind::Late, "it did not accept the connection in time".to_owned())
            }
            None => (Kind::Other, format!("nothing answers there: {error}")),
        };
        Self { kind, ..Self::because(service, remote, reason) }
    }

    /// By a reason in words.
    pub fn because(service: &Arc<str>, remote: &Remote, reason: String) -> Self {
        let Remote { name, url } = remote;
        Self {
            service: service.clone(),
            remote: name.clone(),
            url: url.to_string(),
            reason,
            kind: Kind::Other,
            by: None,
        }
    }

    /// The same by the entry that led there.
    pub fn by(self, entry: &Arc<str>) -> Self {
        let is_own = ["override ", "rule "].iter().any(|kind| entry.starts_with(kind));
        Self { by: is_own.then(|| entry.clone()), ..self }
    }

    /// Whether it only took too long.
    pub fn is_late(&self) -> bool {
        self.kind == Kind::Late
    }

    /// What helps.
    pub fn next(&self) -> String {
        let Self { service, remote, .. } = self;
        // Switching off is for what leads all there.
        let here = match self.by.as_deref().and_then(|by| by.split_once(' ')) {
            Some(("override", entry)) => format!("send the request without its override `{entry}`"),
            Some((_, rule)) => format!("the manifest's rule {rule} leads there"),
            None => format!("`nagaya remote {service} off` runs it here"),
        };
        match self.kind {
            Kind::Untrusted => format!(
                "{here}; an authority of {remote}'s own counts where this machine trusts it, or SSL_CERT_FILE names it \
                 in the shell of the `nagaya up` that starts the engine"
            ),
            Kind::Late | Kind::Other => format!("{here}; or see to it that {remote} is there"),
        }
    }
}

/// What is wrong with a certificate, where that is why there is no connection.
fn certificate(error: &io::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error.get_ref()?.downcast_ref::<rustls::Error>()? else {
        return None;
    };
    let why = match error {
        // Another key under the name of one that is trusted is a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody whom this machine trusts has issued it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host".to_owned()
        }
        other => other.to_string(),
    };
    Some(format!("its certificate is not accepted: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::External;

    #[test]
    fn what_helps_is_for_the_entry_that_led_there() {
        let url = External::parse("http://localhost:1").unwrap();
        let remote = Remote { name: "staging".into(), url };
        let unreached = || Unreached::because(&"users".into(), &remote, "nothing answers there".to_owned());
        let next = |by: &str| unreached().by(&by.into()).next();
        assert!(unreached().next().starts_with("`nagaya remote users off` runs it here"));
        let switched = "/svc/users=>/#/remote/staging/users";
        assert!(next(switched).starts_with("`nagaya remote users off` runs it here"));
        let own = next(&format!("override {switched}"));
        assert!(own.starts_with(&format!("send the request without its override `{switched}`")), "{own}");
        assert!(!own.contains("remote users off"), "{own}");
        assert!(next(&format!("rule writes: {switched}")).contains("rule writes"));
    }
}
