//! Answers of our own: what is not passed on, and what could not even be read.

use std::cell::RefCell;

use super::head::Fault;
use super::response::Asked;
use super::{After, Prepared, Server, reply};
use crate::effects::clock;
use crate::proxy::answer::{Answer, Asker, Refusal};
use crate::proxy::body::Recording;
use crate::proxy::headers::tell_withheld;
use crate::proxy::http::Way;
use crate::proxy::wire::Io;

/// What is said of a head that cannot be taken.
pub fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Malformed(reason) => Refusal::Malformed(reason.to_owned()),
        Fault::TooLarge => Refusal::TooLarge(fault.to_string()),
        Fault::Unsupported(reason) => Refusal::Unsupported(reason.to_owned()),
        Fault::Version | Fault::Http2 => Refusal::Version,
    }
}

impl<S: Io, W: Way> Server<'_, S, W> {
    /// Tells why a request could not be read; what follows it on the connection could be anything.
    pub(super) async fn refuse_unread(&self, refusal: Refusal) -> After {
        let answer = refusal.response(Asker::default());
        self.context.unread(self.caller, self.way.addressee(), &refusal, answer.status().as_u16());
        self.reply(&answer, Asked::LAST, None).await;
        After::Linger
    }

    /// Tells why a request was not passed on.
    pub(super) async fn refuse(
        &self,
        refusal: Refusal,
        call: &Prepared,
        is_read: bool,
        recording: RefCell<Recording>,
    ) -> After {
        let stays = is_read && !matches!(refusal, Refusal::Absent(..) | Refusal::Gone(_));
        let asked = Asked { keeps: call.asked.keeps && stays, ..call.asked };
        let mut recording = recording.into_inner();
        recording.fail(refusal.to_string());
        let mut answer = self.way.refuse(refusal, call.asker).await;
        recording.status(answer.status().as_u16());
        tell_withheld(recording.withheld().map(|by| &**by), answer.headers_mut());
        drop(recording);
        self.reply(&answer, asked, Some(call.identity.id())).await
    }

    /// Sends an answer of our own.
    pub(super) async fn reply(&self, answer: &Answer, asked: Asked, id: Option<&[u8]>) -> After {
        let mut text = self.wire.spare().text();
        reply::write(answer, asked, id, &mut text.bytes);
        let written = self.wire.write_all(&text.bytes).await;
        self.ended.set(clock::instant());
        match (written, asked.keeps) {
            (Err(_), _) => After::Close,
            (Ok(()), true) => After::Next,
            (Ok(()), false) => After::Linger,
        }
    }
}
