//! A memory of limited weight for what is used again and again.
//!
//! It has two generations: once the newer one is full, the older one goes. What is used meanwhile moves to the newer one,
//! so that it stays, and what was used once goes; there is no order of ageing to keep.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by their keys; each generation weighs no more than was said.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    new: HashMap<K, V>,
    old: HashMap<K, V>,
    new_weight: usize,
    most_weight: usize,
}

impl<K: Eq + Hash, V: Clone> Generations<K, V> {
    /// An empty memory whose generations weigh at most `most_weight` each.
    pub(crate) fn new(most_weight: usize) -> Self {
        Self {
            new: HashMap::new(),
            old: HashMap::new(),
            new_weight: 0,
            most_weight,
        }
    }

    /// The value of `key`, if it is in the newer generation.
    pub(crate) fn newest(&self, key: &K) -> Option<&V> {
        self.new.get(key)
    }

    /// The value of `key`, which weighs `weight`; it belongs to the newer generation from then on.
    pub(crate) fn get(&mut self, key: K, weight: impl FnOnce(&V) -> usize) -> Option<V> {
        if let Some(known) = self.new.get(&key) {
            return Some(known.clone());
        }
        let known = self.old.remove(&key)?;
        self.put(key, known.clone(), weight(&known));
        Some(known)
    }

    /// Remembers `value`, unless it alone is too heavy.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        if weight > self.most_weight {
            return;
        }
        if self.new_weight.saturating_add(weight) > self.most_weight {
            self.old = std::mem::take(&mut self.new);
            self.new_weight = 0;
        }
        self.new_weight = self.new_weight.saturating_add(weight);
        self.new.insert(key, value);
    }

    /// How many values are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.new.len() + self.old.len()
    }

    /// Whether `key` is remembered.
    #[cfg(test)]
    pub(crate) fn has(&self, key: &K) -> bool {
        self.new.contains_key(key) || self.old.contains_key(key)
    }
}
