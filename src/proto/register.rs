//! Keys on the log: what a cluster without a store keeps them in.
//!
//! Every key is one register. An absent key has version 0; each write gives it the next one. So the
//! answers of a register tell in which order its writes took effect.

use crate::base::{Name, Op, Outcome, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All keys, with their values and versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registers(BTreeMap<Name, (i64, u64)>);

impl Registers {
    /// Whether an operation is one on keys.
    pub fn takes(op: &Op) -> bool {
        matches!(op, Op::Get { .. } | Op::Put { .. } | Op::Add { .. })
    }

    /// What is read of a key.
    pub fn read(&self, key: &Name) -> Outcome {
        let known = self.0.get(key);
        let (value, version) = (known.map(|(value, _)| *value), known.map_or(0, |known| known.1));
        Outcome::Value { value, version }
    }

    /// Carries an operation out.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Get { key } => self.read(key),
            Op::Put { key, value } => self.write(key, |_| *value),
            Op::Add { key, by } => self.write(key, |before| before.saturating_add(*by)),
            _ => Outcome::Refused(Refusal::NoService),
        }
    }

    fn write(&mut self, key: &Name, change: impl FnOnce(i64) -> i64) -> Outcome {
        let (value, version) = self.0.entry(key.clone()).or_default();
        (*value, *version) = (change(*value), *version + 1);
        Outcome::Written { value: *value, version: *version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_has_the_next_version() {
        let mut registers = Registers::default();
        let mut told = |op: &str| registers.apply(&op.parse().unwrap()).to_string();
        assert_eq!(told("get x"), Outcome::Value { value: None, version: 0 }.to_string());
        assert_eq!(told("put x=5"), Outcome::Written { value: 5, version: 1 }.to_string());
        assert_eq!(told("add x 2"), Outcome::Written { value: 7, version: 2 }.to_string());
        assert_eq!(told("get x"), Outcome::Value { value: Some(7), version: 2 }.to_string());
    }
}
