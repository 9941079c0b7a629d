//! nagaya boots a workspace of microservices and shows it. ARCHITECTURE.md is the map.

pub mod api;
pub mod cli;
pub mod demo;
pub mod discovery;
pub mod dtab;
pub mod effects;
pub mod engine;
pub mod launcher;
pub mod manifest;
pub mod model;
pub mod pipeline;
pub mod plan;
pub mod proxy;
pub mod resilience;
pub mod route;
pub mod run;
pub mod runtime;
pub mod supervise;
pub mod tasks;
pub mod telemetry;
pub mod tui;
pub mod view;
