//! Carts, kept in Redis. A cart is a hash (product -> quantity) that expires when nothing is added for a while.
//!
//!   GET /carts/USER                            the cart
//!   POST /carts/USER {"product", "quantity"}   adds to it and answers it
//!   DELETE /carts/USER                         empties it

use std::{collections::BTreeMap, env, io::Read, process, sync::Arc, thread, time::Duration};

use redis::{Client, Connection, RedisResult};
use serde_json::{json, Value};
use tiny_http::{Header, Method, Request, Response, Server};

const ADDRESS: &str = "0.0.0.0:8080";

/// For Redis; twice that (the old connection, then a new one) is less than our callers wait.
const TIMEOUT: Duration = Duration::from_millis(800);

struct Store {
    client: Client,
    kept: Option<Connection>,
    ttl_seconds: i64,
}

impl Store {
    /// The connection of last time if it still works, else a new one.
    fn connection(&mut self) -> RedisResult<&mut Connection> {
        let alive = |c: &mut Connection| redis::cmd("PING").exec(c).is_ok();
        if !self.kept.as_mut().is_some_and(alive) {
            let new = self.client.get_connection_with_timeout(TIMEOUT)?;
            new.set_read_timeout(Some(TIMEOUT))?;
            new.set_write_timeout(Some(TIMEOUT))?;
            self.kept = Some(new);
        }
        Ok(self.kept.as_mut().expect("just made"))
    }

    fn get(&mut self, user: &str) -> RedisResult<Value> {
        let cart: BTreeMap<String, i64> = redis::cmd("HGETALL").arg(key(user)).query(self.connection()?)?;
        let items: Vec<Value> = cart.iter().map(|(product, n)| json!({ "product": product, "quantity": n })).collect();
        Ok(json!({ "user": user, "items": items }))
    }

    fn add(&mut self, user: &str, product: &str, quantity: i64) -> RedisResult<Value> {
        // One script: both happen, or neither.
        let script = "redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2]) redis.call('EXPIRE', KEYS[1], ARGV[3])";
        let mut add = redis::cmd("EVAL");
        add.arg(script).arg(1).arg(key(user)).arg(product).arg(quantity).arg(self.ttl_seconds);
        add.exec(self.connection()?)?;
        self.get(user)
    }

    fn clear(&mut self, user: &str) -> RedisResult<Value> {
        redis::cmd("DEL").arg(key(user)).exec(self.connection()?)?;
        self.get(user)
    }
}

fn key(user: &str) -> String {
    format!("cart:{user}")
}

fn error(status: u16, message: &str) -> (u16, Value) {
    (status, json!({ "error": message }))
}

fn route(store: &mut Store, request: &mut Request) -> (u16, Value) {
    let path = request.url().split('?').next().unwrap_or_default().to_string();
    let user = match path.strip_prefix("/carts/") {
        Some(user) if !user.is_empty() && !user.contains('/') => user,
        _ => return error(404, "there is only /carts/USER"),
    };
    let answer = match request.method() {
        Method::Get => store.get(user),
        Method::Delete => store.clear(user),
        Method::Post => {
            let mut body = String::new();
            let read = request.as_reader().take(10_000).read_to_string(&mut body);
            let item: Value = read.ok().and_then(|_| serde_json::from_str(&body).ok()).unwrap_or_default();
            match (item["product"].as_str(), item["quantity"].as_i64()) {
                (Some(product), Some(quantity @ 1..=1000)) => store.add(user, product, quantity),
                _ => return error(400, "product (a name) and quantity (1 to 1000) are needed"),
            }
        }
        _ => return error(405, "GET, POST or DELETE"),
    };
    match answer {
        Ok(cart) => (200, cart),
        Err(e) if e.is_timeout() => error(503, "redis is not available: no answer in time"),
        Err(e) => error(503, &format!("redis is not available: {e}")),
    }
}

/// Answers requests, one after the other; several of these run beside each other.
fn work(server: &Server, mut store: Store) {
    loop {
        let Ok(mut request) = server.recv() else { continue };
        let (status, body) = match request.url() {
            "/healthz" => (200, json!({ "status": "ok" })),
            _ => route(&mut store, &mut request),
        };
        if request.url() != "/healthz" {
            println!("{} {} {status}", request.method(), request.url());
        }
        let json = Header::from_bytes("Content-Type", "application/json").expect("a good header");
        let response = Response::from_string(format!("{body}\n")).with_status_code(status).with_header(json);
        request.respond(response).ok(); // the caller may have gone
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set")))
}

fn fail(message: &str) -> ! {
    eprintln!("cart: {message}");
    process::exit(1)
}

fn main() {
    let client = Client::open(variable("REDIS_URL")).unwrap_or_else(|e| fail(&format!("REDIS_URL: {e}")));
    let ttl_seconds = variable("CART_TTL_SECONDS").parse().unwrap_or_else(|e| fail(&format!("CART_TTL_SECONDS: {e}")));
    let server = Server::http(ADDRESS).unwrap_or_else(|e| fail(&format!("cannot listen on {ADDRESS}: {e}")));
    let server = Arc::new(server);
    println!("listening on {ADDRESS}, carts expire after {ttl_seconds} s");
    for _ in 0..8 {
        let (server, client) = (server.clone(), client.clone());
        thread::spawn(move || work(&server, Store { client, kept: None, ttl_seconds }));
    }
    loop {
        thread::park();
    }
}
