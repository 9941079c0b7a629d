//! `store`: counters by a line protocol over TCP. `INCR name` answers with the new value.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::serve::listen;

type Counters = Arc<Mutex<HashMap<String, u64>>>;

/// Serves until it is ended.
pub async fn run() -> io::Result<()> {
    let listener = listen("store", 6000).await?;
    let counters = Counters::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let counters = counters.clone();
        tokio::spawn(async move {
            let _ = converse(stream, counters).await;
        });
    }
}

async fn converse(stream: TcpStream, counters: Counters) -> io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split_once(' ') {
            Some(("INCR", name)) => {
                let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
                let count = counters.entry(name.to_owned()).or_default();
                *count += 1;
                format!("{count}\n")
            }
            _ => "? INCR name\n".to_owned(),
        };
        output.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// Counts one more of something.
pub async fn increment(address: &str, name: &str) -> Result<u64, String> {
    let told = |error: io::Error| format!("store: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    stream.write_all(format!("INCR {name}\n").as_bytes()).await.map_err(told)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.map_err(told)?;
    answer.trim().parse().map_err(|_| format!("store: answered `{}`", answer.trim()))
}
