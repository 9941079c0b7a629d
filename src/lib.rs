//! nagaya boots a workspace of microservices and shows it. ARCHITECTURE.md is the map.

pub mod manifest;
pub mod model;
