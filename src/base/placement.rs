//! Placeholder until the ring lands.
use super::NodeId;
/// m
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// n
    pub node: NodeId,
    /// w
    pub weight: u16,
}
/// s
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// v
    pub vnodes: u16,
    /// r
    pub replicas: u8,
    /// s
    pub seed: u64,
}
/// r
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRange {
    /// s
    pub start: u64,
    /// e
    pub end: u64,
}
