//! The certificate authorities that this machine trusts.

use rustls::RootCertStore;

/// Those of the platform, or of `SSL_CERT_FILE`. One that cannot be read is left out: the others still hold.
pub fn platform() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
