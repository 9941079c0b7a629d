//! One request over one connection to a callee, and its answer.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::answering::{self, Missing, may_be_sent_again};
use super::framing::{Encoder, Framing};
use super::head::Fault;
use super::response::{self, Answer, Asked, Told};
use super::transfer::{Broken, Transfer};
use crate::proxy::body::Recording;
use crate::proxy::copies::{Tee, read_fields};
use crate::proxy::dial::Stream;
use crate::proxy::wire::{Io, Text, Wire};

/// A request that is ready to be sent.
pub struct Call<'a> {
    /// The head, and of the body what has come.
    pub text: &'a [u8],
    pub asked: Asked,
    pub id: &'a [u8],
    pub is_idempotent: bool,
}

/// How an exchange ended.
#[derive(Debug)]
pub enum Outcome {
    /// The answer was passed on; whether the request was, too.
    Answered { answer: Answer, is_uploaded: bool },
    /// Nothing of an answer came; whether the request may be sent again.
    Unanswered { error: String, is_unsent: bool },
    /// What came is no answer.
    Wrong(Fault),
    /// The answer broke off when some of it had been passed on; whether that can be told from what was.
    BrokeOff { error: String, is_delimited: bool },
    /// The caller sent something else than a body, before there was an answer.
    Malformed(String),
    /// The caller went away.
    CallerGone(String),
}

/// Sends a request and passes its answer on, both at once: a callee may answer before it has read everything.
pub async fn run<S: Io>(
    caller: &Wire<S>,
    callee: &Wire<Stream>,
    call: &Call<'_>,
    body: &mut Transfer,
    recording: &RefCell<Recording>,
) -> Outcome {
    let (was_whole, is_sent, is_uploaded) = (body.is_done(), Cell::new(false), Cell::new(false));
    let mut upload = pin!(upload(caller, callee, call.text, body, &is_sent));
    let mut download = pin!(download(caller, callee, call, recording, &is_uploaded));
    let mut is_over = false;
    poll_fn(|context| {
        if !is_over && let Poll::Ready(result) = upload.as_mut().poll(context) {
            is_over = true;
            match result {
                Ok(()) => is_uploaded.set(true),
                Err(Broken::From(error)) => return Poll::Ready(broken_upload(&error, recording)),
                // The callee does not want the rest. It may still say why.
                Err(Broken::To(_)) => {}
            }
        }
        if let Poll::Ready(outcome) = download.as_mut().poll(context) {
            return Poll::Ready(match outcome {
                Outcome::Unanswered { error, .. } => {
                    let is_unsent = was_whole && may_be_sent_again(is_sent.get(), call.is_idempotent);
                    Outcome::Unanswered { error, is_unsent }
                }
                outcome => outcome,
            });
        }
        // Whoever has asked and goes away wants no answer. What it sends meanwhile is its next request.
        if is_uploaded.get() && !caller.is_full() {
            match caller.poll_fill(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Outcome::CallerGone("it went away".to_owned())),
                Poll::Ready(Err(error)) => return Poll::Ready(Outcome::CallerGone(error.to_string())),
                Poll::Ready(Ok(_)) => context.waker().wake_by_ref(),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

/// What a caller did to its own request is not the callee's fault.
fn broken_upload(error: &io::Error, recording: &RefCell<Recording>) -> Outcome {
    let has_begun = recording.borrow().record.as_ref().is_some_and(|record| record.status.is_some());
    match error.kind() {
        io::ErrorKind::InvalidData if !has_begun => Outcome::Malformed(error.to_string()),
        io::ErrorKind::UnexpectedEof => Outcome::CallerGone("its upload was not whole".to_owned()),
        _ => Outcome::CallerGone(format!("in its upload: {error}")),
    }
}

async fn upload<S: Io>(
    caller: &Wire<S>,
    callee: &Wire<Stream>,
    text: &[u8],
    body: &mut Transfer,
    is_sent: &Cell<bool>,
) -> Result<(), Broken> {
    callee.write_all(text).await.map_err(Broken::To)?;
    is_sent.set(true);
    if body.is_done() {
        return Ok(());
    }
    let mut out = callee.spare().text();
    body.run(caller, callee, &mut out.bytes).await
}

async fn download<S: Io>(
    caller: &Wire<S>,
    callee: &Wire<Stream>,
    call: &Call<'_>,
    recording: &RefCell<Recording>,
    is_uploaded: &Cell<bool>,
) -> Outcome {
    let answer = loop {
        // The memory for the answer is taken when there is one.
        match head(caller, callee, call, (recording, is_uploaded)).await {
            Ok((answer, text)) if answer.is_interim() => {
                if call.asked.is_http11 && caller.write_all(&text.bytes).await.is_err() {
                    return Outcome::CallerGone("it went away".to_owned());
                }
            }
            Ok(found) => break found,
            Err(outcome) => return outcome,
        }
    };
    let (answer, mut text) = answer;
    let mut body = Transfer::new(answer.framing, answer.encoder);
    {
        let mut recording = recording.borrow_mut();
        if let Some(copy) = &recording.copy {
            copy.answered(answer.status, read_fields(&text.bytes).into_iter());
            body = body.seen_by(Some(Tee::Answer(copy.clone())));
        }
        recording.status(answer.status);
        recording.grpc_status(answer.grpc_status);
    }
    if callee.is_empty() && answer.framing != Framing::NONE {
        // A server that writes its answer in two pieces holds the second back until the first is acknowledged (Nagle's
        // algorithm), which the kernel delays by 40 ms on a connection that has been used before.
        callee.acknowledge();
    }
    match body.run(callee, caller, &mut text.bytes).await {
        Ok(()) => Outcome::Answered { answer, is_uploaded: is_uploaded.get() },
        Err(Broken::From(error)) => {
            let is_delimited = answer.encoder == Encoder::Chunked || matches!(answer.framing, Framing::Length(_));
            Outcome::BrokeOff { error: error.to_string(), is_delimited }
        }
        Err(Broken::To(error)) => Outcome::CallerGone(error.to_string()),
    }
}

/// Reads one head of an answer, written for the caller.
async fn head<S: Io>(
    caller: &Wire<S>,
    callee: &Wire<Stream>,
    call: &Call<'_>,
    (recording, is_uploaded): (&RefCell<Recording>, &Cell<bool>),
) -> Result<(Answer, Text), Outcome> {
    let read = answering::head(callee, |bytes| {
        let mut text = caller.spare().text();
        // A caller that is still sending cannot send another request before it is through.
        let asked = Asked { keeps: call.asked.keeps && is_uploaded.get(), ..call.asked };
        let recording = recording.borrow();
        let told = Told { id: call.id, withheld: recording.withheld().map(|by| &**by) };
        let found = response::translate(bytes, asked, told, &mut text.bytes)?;
        Ok(found.map(|(length, answer)| (length, (answer, text))))
    });
    read.await.map_err(|missing| match missing {
        Missing::Nothing(error) => Outcome::Unanswered { error: error.to_string(), is_unsent: false },
        Missing::Wrong(fault) => Outcome::Wrong(fault),
    })
}
