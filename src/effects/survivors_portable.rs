//! Where the environment of other processes cannot be read, nobody is found.

/// Finds none.
pub fn end(_id: &str) -> usize {
    0
}

/// Kills nothing: containers are another machine's there.
pub fn kill_within(_pid: u32, _container: &str) {}
