//! Policies of calls to a service. Read for their shape so far; see `later` in [`super`].

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::manifest::node::{Node, Value};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::read::{Any, Definitions, OneOrMany, Read, record, text_of, wrong_type};

use super::words::{BalanceWord, JitterWord};

record! {
    /// What the proxy does for calls to a service.
    Policy is "a policy" {
        /// For the whole call, retries included.
        timeout: Duration,
        /// When and how to try again.
        retry: Retry,
        /// When to stop asking an endpoint for a while.
        breaker: Breaker,
        /// How many calls may be under way.
        bulkhead: Bulkhead,
        /// How an endpoint is chosen.
        balance: BalanceWord,
        /// What to answer instead, in order.
        fallback: OneOrMany<Fallback>,
    }
}

record! {
    /// Retries.
    Retry is "a retry policy" {
        /// Tries after the first.
        attempts: u32,
        /// What is tried again: `connect`, `5xx`, `grpc-unavailable` …
        on: OneOrMany<String>,
        /// For each try.
        per_try_timeout: Duration,
        /// The delay before a try.
        backoff: Backoff,
        /// Retries as a share of requests.
        budget: Percent,
    }
}

record! {
    /// A growing delay.
    Backoff is "a backoff" {
        /// The first delay.
        base: Duration,
        /// The largest one.
        max: Duration,
        /// `none`, `full` or `equal`.
        jitter: JitterWord,
    }
}

record! {
    /// A circuit breaker, for each endpoint.
    Breaker is "a breaker" {
        /// Failures in a row that open it.
        consecutive: u32,
        /// The share of successes below which it opens.
        success_rate: f64,
        /// The time over which that share is counted.
        window: Duration,
        /// How long it stays open.
        open: Backoff,
    }
}

record! {
    /// Limits on calls under way.
    Bulkhead is "a bulkhead" {
        /// Calls at once.
        concurrent: u32,
        /// Calls that wait.
        pending: u32,
    }
}

record! {
    /// Another answer.
    Fallback is "a fallback" {
        /// What it is for: `open`, `5xx`, `timeout`.
        on: OneOrMany<String>,
        /// Another service.
        to: String,
        /// The last good answer, at most this old.
        cache: Duration,
        /// A fixed answer.
        r#static: StaticAnswer,
    }
}

record! {
    /// A fixed answer.
    StaticAnswer is "a static answer" {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Any,
        /// Its body.
        body: String,
    }
}

/// `20%`, or 0.2.
#[derive(Debug, Clone, Copy)]
pub struct Percent;

impl Read for Percent {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Value::Scalar(_) = &node.value else {
            wrong_type("a percentage such as `20%`", node, problems);
            return None;
        };
        let text = text_of(node, "a percentage such as `20%`", problems)?;
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
            None => text.parse::<f64>().ok(),
        };
        let share = share.filter(|share| (0.0..=10.0).contains(share));
        if share.is_none() {
            problems
                .push(Problem::error("wrong_type", format!("`{text}` is no percentage such as `20%`")).at(node.span));
        }
        share.map(|_| Self)
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": ["string", "number"], "examples": ["20%"] })
    }
}
