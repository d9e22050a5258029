//! Things by the names of operations: made at first use, kept for the life of the process,
//! and found by each thread without a lock once it has used them.
//!
//! Names are constants of the program, or are given once for each route, so what is kept
//! stays small and need not be counted.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock};

/// Things by name.
pub struct Named<T: 'static>(RwLock<HashMap<&'static str, &'static T>>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

/// What a thread has found before, by where the names lie. A constant may lie in several
/// places; all of them lead to one thing.
pub type Known<T> = HashMap<(usize, usize), &'static T, BuildHasherDefault<Address>>;

impl<T: Default> Named<T> {
    /// The thing of this name, which the thread mostly knows.
    pub fn get(&self, known: &mut Known<T>, name: &'static str) -> &'static T {
        let place = (name.as_ptr() as usize, name.len());
        if let Some(found) = known.get(&place) {
            return found;
        }
        let found = self.find_or_make(name);
        known.insert(place, found);
        found
    }

    fn find_or_make(&self, name: &'static str) -> &'static T {
        if let Some((_, found)) = self.find(name) {
            return found;
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        table
            .entry(name)
            .or_insert_with(|| Box::leak(Box::default()))
    }
}

impl<T> Named<T> {
    /// The thing of this name, with the name as it is kept; none if it was never used.
    pub fn find(&self, name: &str) -> Option<(&'static str, &'static T)> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.get_key_value(name).map(|(name, one)| (*name, *one))
    }

    /// All of them.
    pub fn all(&self) -> Vec<(&'static str, &'static T)> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.iter().map(|(name, one)| (*name, *one)).collect()
    }
}

/// Hashes addresses, which nobody chooses: one multiplication by the golden ratio will do.
#[derive(Default)]
pub struct Address(u64);

impl Hasher for Address {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A name leads to one thing, wherever it lies and whoever asks.
    #[test]
    fn one_name_is_one_thing() {
        let named: Named<AtomicU64> = Named::default();
        let (mut here, mut there) = (Known::default(), Known::default());
        let copy: &'static str = String::from("one").leak();
        for known in [&mut here, &mut there] {
            named.get(known, "one").fetch_add(1, Ordering::Relaxed);
            named.get(known, copy).fetch_add(1, Ordering::Relaxed);
            named.get(known, "other").fetch_add(1, Ordering::Relaxed);
        }
        let counted = |name| named.find(name).map(|(_, one)| one.load(Ordering::Relaxed));
        assert_eq!((counted("one"), counted("other")), (Some(4), Some(2)));
        assert!(counted("none").is_none());
        assert_eq!(named.all().len(), 2);
    }
}
