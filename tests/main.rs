//! All integration tests, in one binary so that they link once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests may touch the world and stop at the first surprise"
)]

mod architecture;
mod dashboard;
mod discovery;
mod dtab;
mod e2e;
mod manifest;
mod pipeline;
mod plan;
mod proxy;
mod supervise;
mod support;
mod tasks;
