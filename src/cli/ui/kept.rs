//! Of which tasks there are results, as long as somebody looks.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::command::Own;
use crate::cli::locate::places;
use crate::effects::cache::Store;
use crate::effects::changes;
use crate::tui::Msg;

/// What is saved together is looked at together; looking takes no more than this part of the time.
const TOGETHER: Duration = Duration::from_millis(100);
const SHARE: u32 = 20;

/// Tells of these tasks, now and whenever files of the workspace have changed or a task has succeeded.
pub async fn follow(own: Own, names: Vec<String>, messages: mpsc::Sender<Msg>) {
    let mut before = None;
    loop {
        let begun = Instant::now();
        let root = own.root.clone();
        // Watched before it is looked at: nothing is missed between the two.
        let watch = spawn_blocking(move || changes::watch(&root, &[successes()])).await;
        let told = own.clone().kept(&names).await;
        let took = begun.elapsed();
        if before.as_ref() != Some(&told) {
            before = Some(told.clone());
            if messages.send(Msg::Kept(told)).await.is_err() {
                return;
            }
        }
        // Where nothing can be watched, it stays what it was when somebody came to look.
        let Ok(Ok(mut watch)) = watch else { return };
        if watch.next().await.is_err() {
            return;
        }
        tokio::time::sleep((took * SHARE).max(TOGETHER)).await;
    }
}

/// Where it is noted that a task has succeeded.
fn successes() -> PathBuf {
    places().map(|places| Store::new(places.results(), 0).lasts()).unwrap_or_default()
}
