//! A map that lies over another, which it leaves as it is: what the check of a host remembers lies over what all hosts
//! have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A map of its own entries over those of a lower one, which any number share.
#[derive(Debug, Clone)]
pub(super) struct Layered<K, V> {
    below: Arc<BTreeMap<K, V>>,
    /// What was put in or changed, and what was removed (`None`).
    own: BTreeMap<K, Option<V>>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self {
            below: Arc::default(),
            own: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy, V: Clone> Layered<K, V> {
    /// Makes everything that is in it the lower map.
    pub(super) fn settle(&mut self) {
        let mut all = std::mem::take(&mut self.below);
        let below = Arc::make_mut(&mut all);
        for (key, value) in std::mem::take(&mut self.own) {
            match value {
                Some(value) => drop(below.insert(key, value)),
                None => drop(below.remove(&key)),
            }
        }
        self.below = all;
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        match self.own.get(key) {
            Some(own) => own.as_ref(),
            None => self.below.get(key),
        }
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entry, to be changed; it counts as changed from then on.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.own.contains_key(key) {
            let below = self.below.get(key)?.clone();
            self.own.insert(*key, Some(below));
        }
        self.own.get_mut(key)?.as_mut()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.own.insert(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let below = self.below.get(key);
        let Some(own) = self.own.remove(key) else {
            let removed = below.cloned()?;
            self.own.insert(*key, None);
            return Some(removed);
        };
        if below.is_some() {
            self.own.insert(*key, None);
        }
        own
    }

    /// The entries that were put in or changed, in ascending order, and the keys of what was removed.
    pub(super) fn own(&self) -> impl Iterator<Item = (K, Option<&V>)> {
        self.own.iter().map(|(key, value)| (*key, value.as_ref()))
    }

    /// The keys from `start` to before `end` that were put in, changed or removed: whether each is in the lower map, and
    /// whether it is in this one.
    pub(super) fn changes_within(&self, start: K, end: K) -> impl Iterator<Item = (K, bool, bool)> {
        let own = self.own.range(start..end);
        own.map(|(key, value)| (*key, self.below.contains_key(key), value.is_some()))
    }

    /// Whether anything was put in, changed or removed from `start` to before `end`.
    pub(super) fn is_changed_within(&self, start: K, end: K) -> bool {
        self.own.range(start..end).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_like_a_map_and_leaves_the_lower_one_as_it_is(
            below in prop::collection::btree_map(0_u8..40, any::<u8>(), 0..30),
            steps in prop::collection::vec((0_u8..40, 0_u8..3, any::<u8>()), 0..60),
        ) {
            let mut lower = Layered::default();
            for (key, value) in &below {
                lower.insert(*key, *value);
            }
            lower.settle();
            let (mut layered, mut model) = (lower.clone(), below.clone());
            for (key, step, value) in steps {
                match step {
                    0 => {
                        layered.insert(key, value);
                        model.insert(key, value);
                    }
                    1 => prop_assert_eq!(layered.remove(&key), model.remove(&key)),
                    _ => {
                        let found = layered.get_mut(&key);
                        prop_assert_eq!(&found, &model.get_mut(&key));
                        if let Some(found) = found {
                            *found = value;
                            model.insert(key, value);
                        }
                    }
                }
            }
            let mut keys: std::collections::BTreeSet<u8> = below.keys().copied().collect();
            for (key, was, is) in layered.changes_within(5, 30) {
                prop_assert_eq!(keys.contains(&key), was);
                prop_assert_eq!(model.contains_key(&key), is);
                if is { keys.insert(key) } else { keys.remove(&key) };
            }
            prop_assert!(keys.range(5..30).eq(model.range(5..30).map(|(key, _)| key)));
            for key in 0..40 {
                prop_assert_eq!(layered.get(&key), model.get(&key));
                prop_assert_eq!(lower.get(&key), below.get(&key));
                let is_told = layered.own().any(|(own, _)| own == key);
                prop_assert!(is_told || model.get(&key) == below.get(&key));
                prop_assert_eq!(is_told, layered.is_changed_within(key, key + 1));
            }
            layered.settle();
            prop_assert_eq!(layered.own().count(), 0);
            prop_assert!((0..40).all(|key| layered.get(&key) == model.get(&key)));
        }
    }
}
