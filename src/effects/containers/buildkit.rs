//! BuildKit, the builder that engines have had since Docker 18.09: secrets, caches, steps side by side.
//!
//! The context goes there as it does to the older one. What BuildKit asks for while it builds is answered over a session
//! (`session`), and how far it is comes as messages of its own (`trace`).

mod proto;
mod secrets;
mod session;
mod trace;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use serde::Deserialize;

use self::trace::Trace;
use self::wire::Wire;
use super::engine::Engine;
use super::words::Words;
use crate::effects::environment::variable;
use crate::model::Build;

/// The version of the API that first had it.
const SINCE: (usize, usize) = (1, 39);

/// A build for it.
#[derive(Debug)]
pub struct Order<'a> {
    pub build: &'a Build,
    /// The names that the image is to have.
    pub names: Vec<&'a str>,
    /// The Dockerfile in the context.
    pub dockerfile: &'a str,
    pub args: &'a HashMap<String, String>,
    pub labels: &'a HashMap<String, String>,
    pub platform: Option<&'a str>,
    pub shell: &'a HashMap<String, String>,
}

/// Why a build is done without it; `None` where it has it and nobody wants otherwise.
pub async fn lacking(engine: &Engine) -> Option<String> {
    // Docker's own switch.
    if variable("DOCKER_BUILDKIT").is_some_and(|value| value == "0") {
        return Some("`DOCKER_BUILDKIT=0` says that it is not used".to_owned());
    }
    let version = engine.docker.client_version();
    let place = &engine.place;
    if (version.major_version, version.minor_version) < SINCE {
        return Some(format!("the engine at {place} is older than that"));
    }
    let is_podman = engine.version().await.is_ok_and(|version| version.is_podman);
    is_podman.then(|| format!("the engine at {place} is Podman, which has it not"))
}

/// Builds; what it tells goes to `words`.
pub async fn build(
    engine: &Engine,
    order: &Order<'_>,
    context: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    words: &mut Words,
) -> Result<(), String> {
    let wire = Wire::to(engine);
    let id = format!("{:032x}", fastrand::u128(..));
    let secrets = Arc::new(secrets::read(&order.build.secrets, order.shell).await?);
    let session = session::open(&wire, &id, secrets).await?;
    let built = async {
        let body = StreamBody::new(context.map(|piece| piece.map(Frame::data))).boxed_unsync();
        let request = Request::builder()
            .method(Method::POST)
            .uri(wire.path(&format!("/build?{}", query(order, &id))))
            .header(CONTENT_TYPE, "application/x-tar")
            .body(body)
            .map_err(|error| error.to_string())?;
        let response = wire.send(request).await?;
        let status = response.status();
        let body = response.into_body();
        if status.is_success() { follow(body, words).await } else { Err(refusal(body).await) }
    };
    let served = async {
        session.await;
        // It may end before the answer does.
        std::future::pending().await
    };
    tokio::select! {
        built = built => built,
        never = served => never,
    }
}

fn query(order: &Order<'_>, session: &str) -> String {
    let Order { build, names, dockerfile, args, labels, platform, .. } = order;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("version", "2").append_pair("session", session).append_pair("dockerfile", dockerfile);
    for name in names {
        query.append_pair("t", name);
    }
    let map = |map: &HashMap<String, String>| serde_json::to_string(map).unwrap_or_default();
    let texts = [
        ("buildargs", (!args.is_empty()).then(|| map(args))),
        ("labels", (!labels.is_empty()).then(|| map(labels))),
        ("cachefrom", (!build.cache_from.is_empty()).then(|| serde_json::json!(build.cache_from).to_string())),
        ("nocache", build.no_cache.then(|| "1".to_owned())),
        ("pull", build.pull.then(|| "1".to_owned())),
        ("target", build.target.clone()),
        ("networkmode", build.network.clone()),
        ("platform", platform.map(str::to_owned)),
    ];
    for (name, value) in texts {
        value.map(|value| query.append_pair(name, &value));
    }
    query.finish()
}

/// A line of the engine's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    id: String,
    aux: serde_json::Value,
    error: Option<String>,
    stream: Option<String>,
    message: Option<String>,
}

/// Tells what comes, to the end or the error.
async fn follow(mut body: Incoming, words: &mut Words) -> Result<(), String> {
    let (mut trace, mut received) = (Trace::default(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the engine of containers broke off: {error}"))?;
        let Ok(data) = frame.into_data() else { continue };
        received.extend_from_slice(&data);
        while let Some(end) = memchr::memchr(b'\n', &received) {
            let line = received.split_to(end + 1);
            take(&line, &mut trace, words).await?;
        }
    }
    take(&received, &mut trace, words).await
}

async fn take(line: &[u8], trace: &mut Trace, words: &mut Words) -> Result<(), String> {
    let line: Line = serde_json::from_slice(line).unwrap_or_default();
    if let Some(error) = line.error {
        return Err(error);
    }
    if let Some(text) = line.stream.filter(|text| !text.trim().is_empty()) {
        words.line(&text).await;
    }
    if line.id == "moby.buildkit.trace"
        && let Some(message) = line.aux.as_str().and_then(|text| STANDARD.decode(text).ok())
    {
        for told in trace.take(&message) {
            words.line(&told).await;
        }
    }
    Ok(())
}

async fn refusal(body: Incoming) -> String {
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let line: Line = serde_json::from_slice(&bytes).unwrap_or_default();
    line.message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned())
}
