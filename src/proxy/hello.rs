//! The greeting with which TLS begins, as far as it is in the clear: the name that the client asks for (RFC 8446
//! section 4.1.2, RFC 6066 section 3).

/// The most of a greeting that is looked at: one record.
pub const MOST: usize = 5 + (16 << 10);
/// The first byte of a connection that speaks TLS: a handshake record (RFC 8446 section 5.1). No HTTP begins so.
pub const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;

/// Whether the bytes are the beginning of a record that greets.
pub fn could_be(bytes: &[u8]) -> bool {
    let expected = [HANDSHAKE, 3];
    expected.starts_with(&bytes[..bytes.len().min(2)]) && bytes.get(2).is_none_or(|minor| *minor <= 4)
}

/// The name in a greeting, empty if it has none or is none; `None` while it is incomplete.
pub fn name(bytes: &[u8]) -> Option<String> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(3)?, *bytes.get(4)?]));
    let record = bytes.get(5..5 + length.min(MOST - 5))?;
    Some(server_name(record).unwrap_or_default())
}

fn server_name(mut record: &[u8]) -> Option<String> {
    if record.split_off_first()? != &CLIENT_HELLO {
        return None;
    }
    let length = [&[0], record.split_off(..3)?].concat().try_into().map(u32::from_be_bytes).ok()?;
    // A greeting of several records is read as far as the first one goes.
    let mut hello = record.get(..usize::try_from(length).ok()?).unwrap_or(record);
    hello.split_off(..2 + 32)?;
    let session = usize::from(*hello.split_off_first()?);
    hello.split_off(..session)?;
    vector(&mut hello)?;
    let methods = usize::from(*hello.split_off_first()?);
    hello.split_off(..methods)?;
    let extensions = usize::from(number(&mut hello)?);
    let mut extensions = hello.get(..extensions).unwrap_or(hello);
    loop {
        let kind = number(&mut extensions)?;
        let mut content = vector(&mut extensions)?;
        if kind == SERVER_NAME {
            let mut names = vector(&mut content)?;
            names.split_off_first().filter(|kind| **kind == 0)?;
            let name = std::str::from_utf8(vector(&mut names)?).ok()?;
            return Some(name.chars().filter(|c| c.is_ascii_graphic()).collect());
        }
    }
}

fn number(bytes: &mut &[u8]) -> Option<u16> {
    bytes.split_off(..2)?.try_into().map(u16::from_be_bytes).ok()
}

/// A list of bytes behind its length.
fn vector<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::from(number(bytes)?);
    bytes.split_off(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What rustls says first.
    fn greeting(name: &str) -> Vec<u8> {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        let server = name.to_owned().try_into().unwrap();
        let mut connection = rustls::ClientConnection::new(config.into(), server).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_found_in_a_real_greeting() {
        let bytes = greeting("api.example.com");
        assert_eq!(name(&bytes).as_deref(), Some("api.example.com"));
        for end in 0..bytes.len() {
            assert!(could_be(&bytes[..end]));
            assert_eq!(name(&bytes[..end]), None, "{end}");
        }
        assert_eq!(name(&greeting("10.0.0.1")).as_deref(), Some(""), "addresses are not named");
    }

    #[test]
    fn garbage_has_no_name() {
        let bytes = greeting("api.example.com");
        for at in 5..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xff;
            // Whatever it says, it says something.
            assert!(name(&broken).is_some());
        }
        assert!(!could_be(b"GET") && !could_be(b"\x16\x02"));
    }
}
