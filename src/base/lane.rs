//! A map for keys that mostly come and go in order.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A map in the order of its keys. Putting in a key that is larger than all, and taking the
/// smallest out, take constant time; anything else takes as long as there are keys behind, or
/// before, it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane<K, V = ()>(VecDeque<(K, V)>);

impl<K, V> Default for Lane<K, V> {
    fn default() -> Self {
        Lane(VecDeque::new())
    }
}

impl<K: Ord + Copy, V> Lane<K, V> {
    /// Where a key is, or where it belongs.
    fn place(&self, key: K) -> Result<usize, usize> {
        match (self.0.front(), self.0.back()) {
            (Some((first, _)), _) if *first == key => Ok(0),
            (_, Some((last, _))) if *last >= key => self.0.binary_search_by_key(&key, |(k, _)| *k),
            _ => Err(self.0.len()),
        }
    }

    fn put(&mut self, at: usize, key: K, value: V) {
        match at == self.0.len() {
            true => self.0.push_back((key, value)),
            false => self.0.insert(at, (key, value)),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What belongs to a key.
    pub fn get(&self, key: K) -> Option<&V> {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Whether a key is there.
    pub fn has(&self, key: K) -> bool {
        self.place(key).is_ok()
    }

    /// Puts a value in, in the place of the one that is there.
    pub fn set(&mut self, key: K, value: V) {
        match self.place(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.put(at, key, value),
        }
    }

    /// What belongs to a key; if it is not there, it is put in.
    pub fn get_or(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let at = match self.place(key) {
            Ok(at) => at,
            Err(at) => {
                self.put(at, key, value());
                at
            }
        };
        &mut self.0[at].1
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let taken = match self.place(key).ok()? {
            0 => self.0.pop_front(),
            at => self.0.remove(at),
        };
        taken.map(|(_, value)| value)
    }

    /// Takes the smallest key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.0.pop_front()
    }

    /// All keys and what belongs to them, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }
}

impl<K: Ord + Copy> Lane<K> {
    /// Puts a key in. Returns whether it was not there.
    pub fn add(&mut self, key: K) -> bool {
        let place = self.place(key);
        if let Err(at) = place {
            self.put(at, key, ());
        }
        place.is_err()
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for Lane<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Lane<K, V> {
        let mut lane = Lane::default();
        all.into_iter().for_each(|(key, value)| lane.set(key, value));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_however_they_come() {
        let mut lane: Lane<u32, char> = [(3, 'c'), (1, 'a'), (2, 'x')].into_iter().collect();
        lane.set(2, 'b');
        assert_eq!(*lane.get_or(4, || 'd'), 'd');
        assert_eq!(*lane.get_or(1, || 'z'), 'a');
        assert_eq!(
            lane.iter().map(|(k, v)| (k, *v)).collect::<Vec<_>>(),
            [(1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')]
        );
        assert_eq!((lane.remove(3), lane.remove(3), lane.get(2)), (Some('c'), None, Some(&'b')));
        assert_eq!((lane.pop_first(), lane.len()), (Some((1, 'a')), 2));
        assert!(lane.has(4) && !lane.has(5) && !lane.is_empty());
    }

    #[test]
    fn a_lane_of_keys_is_a_set() {
        let mut lane: Lane<u32> = Lane::default();
        assert!(lane.add(7) && lane.add(3) && !lane.add(7));
        assert_eq!(lane.iter().map(|(key, ())| key).collect::<Vec<_>>(), [3, 7]);
    }
}
