//! Where the environment of other processes cannot be read, nobody is found.

/// Finds none.
pub fn end(_id: &str) -> usize {
    0
}
