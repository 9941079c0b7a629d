//! `worker`: fetches a quote now and then, so that there is something to see.

use std::io;
use std::time::Duration;

use super::{neighbour, serve, store};

/// Works until it is ended.
pub async fn run() -> io::Result<()> {
    let (quotes, store) = (neighbour("quotes", 8080), neighbour("store", 6000));
    loop {
        let quote = serve::get(&quotes).await;
        let count = store::increment(&store, "jobs").await;
        match (quote, count) {
            (Ok(quote), Ok(count)) => println!(r#"{{"level":"info","job":{count},"msg":"{quote}"}}"#),
            (Err(error), _) | (_, Err(error)) => println!(r#"{{"level":"warn","msg":"{error}"}}"#),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
