//! Uploads through the front door that their client does not finish.

use std::io::Write;
use std::sync::mpsc::channel;

use nagaya::model::Protocol;

use super::Front;
use crate::proxy::lab::{break_off, callee, connect, head, read_all, text, told};
use crate::support::sandbox::until;

#[test]
fn a_client_that_breaks_off_its_own_upload_is_not_the_services_failure() {
    let (seen, saw) = channel();
    let port = callee(move |mut stream, _| {
        head(&mut stream);
        seen.send(text(&read_all(&mut stream))).unwrap();
    });
    let front = Front::before(&[("web", 80, Protocol::Http, port)]);
    let framings = [("Content-Length: 10", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n")];
    for (framing, part) in framings {
        for abrupt in [false, true] {
            let mut stream = connect(front.port);
            write!(stream, "POST / HTTP/1.1\r\nHost: web.shop.localhost\r\n{framing}\r\n\r\n{part}").unwrap();
            if abrupt {
                break_off(stream);
            } else {
                drop(stream);
            }
            let got = told(&saw);
            assert!(part.starts_with(&got), "{framing}: {got}");
        }
    }
    until("all are recorded", || front.records().len() == 4);
    for record in front.records() {
        assert_eq!((record.from, record.status), (None, None));
        let error = record.error.as_deref().unwrap();
        assert!(error.starts_with("the caller broke off"), "{error}");
    }
}
