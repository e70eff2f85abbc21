//! Netsplit.
fn main() {}
