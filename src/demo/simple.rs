//! `clock`, which is lazy, and `flaky`, which fails in every way that should not hurt the others.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::serve;

/// Tells the time; it takes a moment to start, as real services do.
pub async fn clock() -> io::Result<()> {
    println!("clock is winding up");
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    serve::http("clock", |_| async { Ok(format!("{:.0}", jiff::Timestamp::now())) }).await
}

/// Every third answer is an error, and the tenth request is its last.
pub async fn flaky() -> io::Result<()> {
    let count = Arc::new(AtomicU64::new(0));
    serve::http("flaky", move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            if number == 10 {
                eprintln!("panic: the tenth request was too much");
                #[allow(clippy::exit, reason = "crashing is its part")]
                std::process::exit(3);
            }
            match number % 3 {
                0 => Err("every third answer is an error".to_owned()),
                _ => Ok(format!("answer number {number}")),
            }
        }
    })
    .await
}
