//! Locks, their leases, and the resource that they guard.

pub mod table;
