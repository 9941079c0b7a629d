//! CPU and memory of services, which the engine looks at only while somebody is told of them.

use std::time::Duration;

use super::error::Error;
use crate::api::{Client, Events};
use crate::runtime::Changes;
use crate::view::Service;

/// How CPU is known: by what was used between two looks, a second apart. What is not known by then will not be, as of a
/// container in another machine.
const TWO_LOOKS: Duration = Duration::from_millis(2500);

/// The rows with CPU and memory, looked at as long as this lives.
pub struct Usage {
    stream: Events,
    pub rows: Vec<Service>,
}

impl Usage {
    /// Begins to look.
    pub async fn new(client: &Client) -> Result<Self, Error> {
        Ok(Self { stream: client.events("/v1/services/stream?usage=true").await?, rows: Vec::new() })
    }

    /// Waits for a change; false when the engine is gone.
    pub async fn next(&mut self) -> bool {
        let Some(changes) = self.stream.next::<Changes>().await else { return false };
        changes.over(&mut self.rows);
        true
    }

    /// Waits until CPU is known of all that runs, as far as it can be; false when the engine is gone.
    pub async fn measure(&mut self) -> bool {
        let known = async {
            while self.next().await {
                if self.rows.iter().all(|row| row.pid.is_none() || row.cpu_percent.is_some()) {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(TWO_LOOKS, known).await.unwrap_or(true)
    }
}
