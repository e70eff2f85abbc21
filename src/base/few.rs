//! A map for few keys.

/// A map in the order of its keys, for so few of them that a look at each finds one fastest: the
/// voters of a log, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Few(Vec::new())
    }
}

impl<K: Ord + Copy, V> Few<K, V> {
    /// What belongs to a key.
    pub fn get(&self, key: K) -> Option<&V> {
        self.0.iter().find(|(own, _)| *own == key).map(|(_, value)| value)
    }

    /// What belongs to a key, to change it.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.0.iter_mut().find(|(own, _)| *own == key).map(|(_, value)| value)
    }

    /// Whether a key is there.
    pub fn has(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// Puts a value in, in the place of the one that is there.
    pub fn set(&mut self, key: K, value: V) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => {
                let at = self.0.partition_point(|(own, _)| *own < key);
                self.0.insert(at, (key, value));
            }
        }
    }

    /// All keys and what belongs to them, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The same, to change what belongs to them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (*key, value))
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Few<K, V> {
        let mut few = Few::default();
        all.into_iter().for_each(|(key, value)| few.set(key, value));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_however_they_come() {
        let mut few: Few<u32, char> = [(3, 'c'), (1, 'a'), (2, 'x')].into_iter().collect();
        few.set(2, 'b');
        few.iter_mut().filter(|(key, _)| *key == 3).for_each(|(_, value)| *value = 'd');
        assert_eq!(
            few.iter().map(|(k, v)| (k, *v)).collect::<Vec<_>>(),
            [(1, 'a'), (2, 'b'), (3, 'd')]
        );
        assert!(few.get_mut(4).is_none() && few.get(2) == Some(&'b') && few.has(1));
    }
}
