//! `seed`, a job that writes sayings into a file, and `quotes`, which serves them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{serve, variable};

const SAYINGS: [&str; 6] = [
    "Many small houses make one street.",
    "Whoever knows the caller needs no guess.",
    "A retry without a budget is an attack.",
    "The port is taken; the neighbour is not to blame.",
    "What starts by itself should also stop by itself.",
    "Ask the log before you ask the colleague.",
];

fn file() -> io::Result<PathBuf> {
    Ok(PathBuf::from(variable("NAGAYA_DATA_DIR")?))
}

/// Writes the file, and ends.
pub fn seed() -> io::Result<()> {
    let folder = file()?;
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("quotes.txt"), SAYINGS.join("\n"))?;
    println!("seeded {} quotes", SAYINGS.len());
    Ok(())
}

/// Serves one of them after the other.
pub async fn run() -> io::Result<()> {
    let path = file()?.join(variable("QUOTES_FILE")?);
    // The folder itself need not exist for `..` to lead out of it.
    std::fs::create_dir_all(file()?)?;
    let text = std::fs::read_to_string(&path)?;
    let quotes: Arc<Vec<String>> = Arc::new(text.lines().map(str::to_owned).collect());
    println!("{} quotes read", quotes.len());
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    serve::http("quotes", move |_| {
        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % quotes.len().max(1);
        let quote = quotes.get(at).cloned();
        async move { quote.ok_or_else(|| "there are no quotes".to_owned()) }
    })
    .await
}
