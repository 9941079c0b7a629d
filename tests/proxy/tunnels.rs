//! Connections that become something else, and those that were bytes from the start.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use nagaya::model::Protocol;
use nagaya::proxy::dial::Dialer;
use nagaya::route::{Availability, Location};
use nagaya::supervise::State;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::lab::{
    Lab, Options, PATIENCE, break_off, callee, connect, exactly, half_close, head, read_all, stable, text,
};

/// After a head like that, everything in capitals.
fn shouting(answer: &'static str) -> u16 {
    callee(move |mut stream, _| {
        let read = head(&mut stream);
        assert!(read.contains("Upgrade: echo\r\n") || read.starts_with("CONNECT other:1 "), "{read}");
        stream.write_all(answer.as_bytes()).unwrap();
        let mut bytes = [0; 100];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            stream.write_all(text(&bytes[..count]).to_uppercase().as_bytes()).unwrap();
        }
        stream.write_all(b"bye").unwrap();
    })
}

#[test]
fn an_upgraded_connection_is_passed_through_and_its_ends_apart() {
    let lab = Lab::http(shouting("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi"));
    let mut stream = lab.connect();
    // Some bytes come with the request, before the answer.
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly").unwrap();
    let answer = head(&mut stream);
    assert_eq!(stable(&answer), "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(exactly(&mut stream, 7), "hiEARLY");
    stream.write_all(b"late").unwrap();
    assert_eq!(exactly(&mut stream, 4), "LATE");
    half_close(&stream);
    assert_eq!(text(&read_all(&mut stream)), "bye");
    assert_eq!(lab.records(1)[0].status, Some(101));
}

/// RFC 9110 section 7.8: until it has ended the request is HTTP, and no byte of it is the new protocol's.
#[test]
fn no_tunnel_begins_within_a_request() {
    let lab = Lab::http(shouting("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"));
    let mut stream = lab.connect();
    let request =
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nTransfer-Encoding: chunked\r\n\r\n";
    write!(stream, "{request}5\r\nhello\r\n").unwrap();
    assert!(!text(&read_all(&mut stream)).contains("HELLO"));
    let error = lab.records(1)[0].error.clone().unwrap();
    assert!(error.contains("changed the protocol before the request had ended"), "{error}");
}

#[test]
fn an_upgrade_that_is_refused_is_an_answer_like_others() {
    let lab = Lab::http(super::lab::answering("HTTP/1.1 426 No\r\nUpgrade: other\r\nContent-Length: 0\r\n\r\n"));
    let mut stream = lab.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 426 No"));
    }
}

#[test]
fn a_connect_is_for_a_callee_that_is_a_proxy() {
    let lab = Lab::http(shouting("HTTP/1.1 200 Connected\r\n\r\n"));
    let mut stream = lab.connect();
    stream.write_all(b"CONNECT other:1 HTTP/1.1\r\nHost: other:1\r\n\r\n").unwrap();
    assert_eq!(stable(&head(&mut stream)), "HTTP/1.1 200 Connected\r\n\r\n");
    stream.write_all(b"abc").unwrap();
    assert_eq!(exactly(&mut stream, 3), "ABC");
}

#[test]
fn a_tunnel_whose_side_breaks_off_breaks_off_on_the_other() {
    let lab = Lab::new(Options::before(
        Protocol::Tcp,
        callee(|mut stream, _| {
            exactly(&mut stream, 1);
            break_off(stream);
        }),
    ));
    let mut stream = lab.connect();
    stream.write_all(b"x").unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn each_direction_of_tcp_ends_by_itself() {
    let lab = Lab::new(Options::before(
        Protocol::Tcp,
        callee(|mut stream, _| {
            stream.write_all(b"first").unwrap();
            let read = read_all(&mut stream);
            // Its caller has ended and still listens.
            stream.write_all(format!("{} bytes", read.len()).as_bytes()).unwrap();
        }),
    ));
    let mut stream = lab.connect();
    assert_eq!(exactly(&mut stream, 5), "first");
    stream.write_all(&vec![b'x'; 3 << 20]).unwrap();
    half_close(&stream);
    assert_eq!(text(&read_all(&mut stream)), "3145728 bytes");
    assert_eq!((lab.records(1)[0].protocol, lab.records(1)[0].method()), ("tcp", None));
}

#[test]
fn a_callee_of_bytes_that_is_not_there_resets() {
    let closed = super::lab::closed();
    let lab = Lab::new(Options::before(Protocol::Tcp, closed));
    let error = connect(lab.port).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(lab.records(1)[0].error.as_deref().unwrap().contains("nothing answers"));
}

/// A server outside, with TLS; and who has to be trusted.
fn outside() -> (u16, rustls::RootCertStore) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let port = callee(move |mut stream, _| {
        let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut stream);
        let (mut read, mut byte) = (Vec::new(), [0]);
        while !read.ends_with(b"\r\n\r\n") {
            if stream.read_exact(&mut byte).is_err() {
                return;
            }
            read.push(byte[0]);
        }
        let read = text(&read);
        let host = read.split("\r\n").find_map(|line| line.strip_prefix("Host: ")).unwrap();
        let body = format!("{host} {:?}", stream.conn.alpn_protocol().map(text));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    (port, roots)
}

#[test]
fn outside_is_called_by_tls_and_by_its_own_name() {
    let (port, roots) = outside();
    let mut options = Options::before(Protocol::Http, 0);
    options.location = Location::Elsewhere { host: "localhost".into(), port, tls: true };
    options.dialer = Box::new(move || Dialer::new(roots, PATIENCE));
    let lab = Lab::new(options);
    let answer = lab.ask("GET / HTTP/1.1\r\nHost: stripe\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with(&format!("\r\n\r\nlocalhost:{port} Some(\"http/1.1\")")), "{answer}");
}

#[test]
fn outside_must_prove_its_name() {
    let (port, _) = outside();
    let mut options = Options::before(Protocol::Http, 0);
    options.location = Location::Elsewhere { host: "localhost".into(), port, tls: true };
    options.dialer = Box::new(|| Dialer::new(rustls::RootCertStore::empty(), Duration::from_secs(5)));
    let lab = Lab::new(options);
    let answer = lab.ask("GET / HTTP/1.1\r\nHost: stripe\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("certificate"), "{answer}");
}

#[test]
fn a_caller_of_bytes_that_gives_up_is_not_waited_for() {
    let lab = Lab::new(Options::before(Protocol::Tcp, callee(|_, _| panic!("nobody calls any more"))));
    lab.availability.send_replace(Availability::Coming(State::Starting));
    for abrupt in [false, true] {
        let stream = lab.connect();
        if abrupt { break_off(stream) } else { drop(stream) }
    }
    for record in lab.records(2) {
        assert_eq!(record.error.as_deref(), Some("the caller broke off"));
    }
    lab.availability.send_replace(Availability::Ready);
}

#[test]
fn a_caller_of_bytes_that_has_said_all_is_still_served() {
    let (seen, saw) = std::sync::mpsc::channel();
    let lab = Lab::new(Options::before(
        Protocol::Tcp,
        callee(move |mut stream, _| {
            seen.send(text(&read_all(&mut stream))).unwrap();
            stream.write_all(b"bye").unwrap();
        }),
    ));
    // Where nobody is waited for, one that says nothing as well.
    for (words, is_held) in [("hello", true), ("hello", false), ("", false)] {
        if is_held {
            lab.availability.send_replace(Availability::Coming(State::Starting));
        }
        let mut stream = lab.connect();
        stream.write_all(words.as_bytes()).unwrap();
        half_close(&stream);
        // Whoever gives up after it shows that this one's end has been seen.
        if is_held {
            let before = lab.records(0).len();
            drop(lab.connect());
            lab.records(before + 1);
        }
        lab.availability.send_replace(Availability::Ready);
        assert_eq!(text(&read_all(&mut stream)), "bye");
        assert_eq!(super::lab::told(&saw), words);
    }
}
