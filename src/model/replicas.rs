//! How many instances a service has, and how one takes the place of another.

/// Instances of one service; more would not fit its workspace's addresses.
pub const MOST_REPLICAS: u32 = 256;

/// How an instance is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The new one is ready before the old one gets no more calls.
    Rolling,
    /// The old one is gone before the new one starts.
    Recreate,
}
