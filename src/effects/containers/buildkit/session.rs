//! The session of a build: a connection over which BuildKit asks this process for what it needs, by gRPC.
//!
//! It begins as a request to the engine, which is upgraded; from then on the engine is the client. Of all services that
//! BuildKit knows, two are answered here: credentials of registries, and secrets of the build.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioExecutor;

use super::proto::{field, text};
use super::wire::Wire;
use crate::effects::containers::credentials;

const CREDENTIALS: &str = "/moby.filesync.v1.Auth/Credentials";
const SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// The secrets of a build, by their names.
pub type Secrets = HashMap<String, Vec<u8>>;

/// gRPC's status, where it is not 0.
#[derive(Debug)]
struct Refusal {
    code: u8,
    message: String,
}

/// Opens a session by this name, and serves it until its future is dropped or the engine has had enough.
pub async fn open(
    wire: &Wire,
    id: &str,
    secrets: Arc<Secrets>,
) -> Result<impl Future<Output = ()> + Send + 'static, String> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(wire.path("/session"))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "h2c")
        .header("X-Docker-Expose-Session-Uuid", id)
        .header("X-Docker-Expose-Session-Name", "nagaya")
        .header("X-Docker-Expose-Session-Sharedkey", "");
    for method in [CREDENTIALS, SECRET, HEALTH] {
        request = request.header("X-Docker-Expose-Session-Grpc-Method", method);
    }
    let request = request.body(Empty::<Bytes>::new().boxed_unsync()).map_err(|error| error.to_string())?;
    let response = wire.send(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("the engine opens no session for a build: HTTP {}", response.status()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| error.to_string())?;
    Ok(async move {
        let service = service_fn(move |request| {
            let secrets = secrets.clone();
            async move { Ok::<_, Infallible>(answer(request, &secrets).await) }
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        // It ends when the build does.
        let _ = server.serve_connection(upgraded, service).await;
    })
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, secrets: &Secrets) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let message = match body.collect().await {
        // A byte that says whether it is compressed, and the length in four.
        Ok(body) => body.to_bytes().get(5..).map(<[u8]>::to_vec).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let answered = match parts.uri.path() {
        CREDENTIALS => Ok(credentials_for(&text(&message, 1)).await),
        SECRET => match secrets.get(&text(&message, 1)) {
            Some(secret) => Ok(field(1, secret)),
            // Then the command that wants it goes without, or fails where it says `required`.
            None => Err(Refusal { code: 5, message: "the build has no such secret".to_owned() }),
        },
        // 1 is SERVING (grpc.health.v1).
        HEALTH => Ok(super::proto::number_field(1, 1)),
        other => Err(Refusal { code: 12, message: format!("{other} is not known here") }),
    };
    reply(answered)
}

fn reply(answered: Result<Vec<u8>, Refusal>) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    let (code, message) = match &answered {
        Ok(_) => (0, None),
        Err(refusal) => (refusal.code, HeaderValue::from_str(&refusal.message).ok()),
    };
    trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    message.map(|message| trailers.insert("grpc-message", message));
    let framed = answered.map_or_else(
        |_| Bytes::new(),
        |message| {
            let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
            [&[0], &length[..], &message].concat().into()
        },
    );
    let body = Full::new(framed).with_trailers(async move { Some(Ok(trailers)) }).boxed();
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// Nothing where nobody logged in: then the registry is asked without.
async fn credentials_for(host: &str) -> Vec<u8> {
    let found = credentials::of_host(host).await.ok().flatten();
    let Some(found) = found else { return Vec::new() };
    match found.identitytoken {
        // A token is a secret of nobody's.
        Some(token) => field(2, token.as_bytes()),
        None => {
            let [name, password] = [found.username, found.password].map(Option::unwrap_or_default);
            [field(1, name.as_bytes()), field(2, password.as_bytes())].concat()
        }
    }
}
