//! This user's certificate authority: made when it is first needed, shared by all of the user's workspaces.
//!
//! Its certificate is constrained to names below `localhost` and to the loopback (RFC 5280 section 4.2.1.10), so that
//! whoever trusts it trusts it for nothing else, whatever becomes of the key.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Span;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::places::Places;
use super::{clock, fs};

/// The domain of all names that are certified: resolvers keep it on the loopback (RFC 6761 section 6.3).
pub const DOMAIN: &str = "localhost";
/// How long the authority is good for, in years.
const YEARS: i32 = 10;
/// How long a certificate is good for, in days: browsers take 397 at most.
const DAYS: i32 = 90;

/// The authority, with its key.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate, PEM, for those who are to trust it.
    pub file: PathBuf,
    /// Eight hexadecimal digits that tell it from other users' and from earlier ones.
    pub id: String,
}

impl Authority {
    /// The authority of this user, which is made where there is none. Several processes may do this at once.
    pub fn open(places: &Places) -> io::Result<Self> {
        let folder = places.authority();
        if let Some(authority) = load(&folder)? {
            return Ok(authority);
        }
        fs::make_private_folder(&folder)?;
        let _turn = fs::turn(&folder.join("lock"))?;
        match load(&folder)? {
            Some(authority) => Ok(authority),
            None => make(&folder),
        }
    }

    /// The authority, if one was made before.
    pub fn find(places: &Places) -> io::Result<Option<Self>> {
        load(&places.authority())
    }

    /// What stores of certificates call it.
    pub fn name(&self) -> String {
        name(&self.id)
    }

    /// A server's certificate for names and addresses, as browsers want it (CA/Browser Forum, Baseline Requirements
    /// section 7.1): good for some weeks, with the names as alternative names alone.
    pub fn certify(&self, names: &[&str], key: &KeyPair) -> Result<CertificateDer<'static>, rcgen::Error> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name.push(DnType::OrganizationName, "nagaya");
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        // Of one key there are many certificates, and two of the same number are an error to Firefox.
        leaf.serial_number = Some(SerialNumber::from((fastrand::u128(..) >> 1).to_be_bytes().to_vec()));
        limit(&mut leaf, Span::new().days(DAYS));
        leaf.signed_by(key, &self.issuer).map(|certificate| certificate.der().clone())
    }
}

fn name(id: &str) -> String {
    format!("nagaya local CA {id}")
}

fn id_of(key: &KeyPair) -> String {
    blake3::hash(key.public_key_raw()).to_hex().chars().take(8).collect()
}

/// All of the authority's certificate but its numbers, which follow from the key: so the key alone is the issuer.
fn params(key: &KeyPair) -> CertificateParams {
    let mut ca = CertificateParams::default();
    ca.distinguished_name = DistinguishedName::new();
    ca.distinguished_name.push(DnType::OrganizationName, "nagaya");
    ca.distinguished_name.push(DnType::CommonName, name(&id_of(key)));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(DOMAIN.to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(std::net::Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    ca
}

/// Good from yesterday, as clocks differ, until a span from now.
fn limit(params: &mut CertificateParams, span: Span) {
    let today = clock::utc().to_zoned(TimeZone::UTC).date();
    let midnight = |date: jiff::civil::Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = midnight(today.saturating_sub(Span::new().days(1)));
    params.not_after = midnight(today.saturating_add(span));
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

fn load(folder: &Path) -> io::Result<Option<Authority>> {
    let file = folder.join("ca.pem");
    let Some(certificate) = fs::read_own(&file)? else { return Ok(None) };
    let broken = |what: &str| {
        let message = format!("{what}; remove {} and a new authority is made", folder.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let key = fs::read_own(&key_file(folder))?.ok_or_else(|| broken("ca.pem has no ca.key beside it"))?;
    let key = KeyPair::from_pem(&key).map_err(|error| broken(&format!("ca.key cannot be read: {error}")))?;
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|error| broken(&format!("ca.pem cannot be read: {error}")))?;
    if memchr::memmem::find(&certificate, key.public_key_raw()).is_none() {
        return Err(broken("ca.pem and ca.key do not belong together"));
    }
    let id = id_of(&key);
    Ok(Some(Authority { issuer: Issuer::new(params(&key), key), file, id }))
}

/// The key first: where the certificate is, the authority is whole.
fn make(folder: &Path) -> io::Result<Authority> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut ca = params(&key);
    limit(&mut ca, Span::new().years(YEARS));
    let certificate = ca.self_signed(&key).map_err(io::Error::other)?;
    let (file, id) = (folder.join("ca.pem"), id_of(&key));
    fs::replace(&key_file(folder), key.serialize_pem().as_bytes())?;
    fs::replace_public(&file, certificate.pem().as_bytes())?;
    Ok(Authority { issuer: Issuer::new(ca, key), file, id })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use super::*;

    fn places(folder: &Path) -> Places {
        Places { state: folder.join("state"), runtime: folder.join("run") }
    }

    #[test]
    fn of_several_who_make_it_at_once_all_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        assert!(Authority::find(&places).unwrap().is_none());
        let barrier = Barrier::new(8);
        let open = || {
            barrier.wait();
            Authority::open(&places).unwrap().id
        };
        let ids: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let mode = std::fs::metadata(places.authority().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Authority::find(&places).unwrap().unwrap().id, ids[0]);
    }

    #[test]
    fn halves_that_do_not_fit_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        Authority::open(&places).unwrap();
        let key = places.authority().join("ca.key");
        std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = Authority::open(&places).unwrap_err().to_string();
        assert!(error.contains("do not belong together") && error.contains("remove"), "{error}");
        std::fs::remove_file(key).unwrap();
        assert!(Authority::open(&places).unwrap_err().to_string().contains("no ca.key"));
    }

    #[test]
    fn no_two_certificates_have_the_same_number() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(&places(folder.path())).unwrap();
        let key = KeyPair::generate().unwrap();
        let [one, two] = ["a.localhost", "b.localhost"].map(|name| authority.certify(&[name], &key).unwrap());
        // The number is at a fixed place: SEQUENCE, SEQUENCE, [0] version, INTEGER.
        let number = |certificate: &CertificateDer<'_>| certificate[15..31].to_vec();
        assert_ne!(number(&one), number(&two));
    }
}
