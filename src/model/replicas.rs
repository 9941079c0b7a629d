//! How many instances a service has, and how one takes the place of another.

use std::time::Duration;

/// Instances of one service; more would not fit its workspace's addresses.
pub const MOST_REPLICAS: u32 = 256;

/// How many instances a service has where its calls decide it. The words and what they default to are those of Kubernetes'
/// HorizontalPodAutoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscale {
    pub min: u32,
    pub max: u32,
    /// Calls under way that one instance is to have.
    pub in_flight: u32,
    /// It is decided so often, by the mean of the calls under way since.
    pub period: Duration,
    /// There are as many as were worth having at any time within this window, and not fewer.
    pub window: Duration,
}

impl Autoscale {
    /// Calls under way for one instance, where nothing is said.
    pub const IN_FLIGHT: u32 = 10;
    /// `--horizontal-pod-autoscaler-sync-period`.
    pub const PERIOD: Duration = Duration::from_secs(15);
    /// `behavior.scaleDown.stabilizationWindowSeconds`.
    pub const WINDOW: Duration = Duration::from_secs(300);
}

/// How an instance is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The new one is ready before the old one gets no more calls.
    Rolling,
    /// The old one is gone before the new one starts.
    Recreate,
}
