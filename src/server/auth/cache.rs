//! Credentials that were checked, by a keyed digest of them: the password itself is kept
//! nowhere, and without this process's key nobody can try guesses against the digests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::Sha256;

use crate::clock::Tick;

/// Right credentials that are remembered. There are about as many as users.
const RIGHT: usize = 8192;
/// Wrong ones: those of a client that repeats them, not all that somebody guesses.
const WRONG: usize = 1024;

/// What credentials are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Those of this user.
    Right(Arc<str>),
    /// Those of nobody.
    Wrong,
    /// There are none.
    NotGiven,
    /// Not known: there are too many to check.
    Busy,
}

/// Names credentials.
pub type Digest = [u8; 32];

/// Makes digests, with a key of its own.
pub struct Digester(Hmac<Sha256>);

impl Digester {
    /// With a fresh key.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn new() -> std::io::Result<Self> {
        let mut key = zeroize::Zeroizing::new([0_u8; 32]);
        let mut filled = 0;
        while filled < key.len() {
            filled += getrandom(&mut key[filled..], GetRandomFlags::empty())?;
        }
        let keyed = Hmac::new_from_slice(key.as_slice()).map_err(std::io::Error::other)?;
        Ok(Self(keyed))
    }

    /// The digest of what a header says.
    pub fn digest(&self, credentials: &[u8]) -> Digest {
        let mut mac = self.0.clone();
        mac.update(credentials);
        mac.finalize().into_bytes().into()
    }
}

/// What was found out about credentials, for a while.
pub struct Cache {
    ttl: Duration,
    right: HashMap<Digest, (Arc<str>, Tick)>,
    wrong: HashMap<Digest, Tick>,
}

impl Cache {
    /// Remembers for `ttl`; nothing if that is zero.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            right: HashMap::new(),
            wrong: HashMap::new(),
        }
    }

    /// What is known, and whether it soon will not count any more: checked anew in time,
    /// nobody has to wait for it.
    pub fn get(&self, digest: &Digest, now: Tick) -> Option<(Verdict, bool)> {
        if let Some((name, at)) = self.right.get(digest) {
            let ageing = now - *at >= self.ttl / 4 * 3;
            let verdict = || (Verdict::Right(Arc::clone(name)), ageing);
            return self.counts(*at, now).then(verdict);
        }
        let at = self.wrong.get(digest)?;
        self.counts(*at, now).then_some((Verdict::Wrong, false))
    }

    /// Remembers a verdict.
    pub fn put(&mut self, digest: Digest, verdict: &Verdict, now: Tick) {
        if self.ttl.is_zero() {
            return;
        }
        match verdict {
            Verdict::Right(name) => {
                if self.right.len() >= RIGHT && !self.right.contains_key(&digest) {
                    let ttl = self.ttl;
                    make_room(&mut self.right, RIGHT, |(_, at)| *at, ttl, now);
                }
                self.right.insert(digest, (Arc::clone(name), now));
            }
            Verdict::Wrong => {
                if self.wrong.len() >= WRONG && !self.wrong.contains_key(&digest) {
                    make_room(&mut self.wrong, WRONG, |at| *at, self.ttl, now);
                }
                self.wrong.insert(digest, now);
            }
            Verdict::NotGiven | Verdict::Busy => {}
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.right.clear();
        self.wrong.clear();
    }

    fn counts(&self, at: Tick, now: Tick) -> bool {
        now - at < self.ttl
    }
}

/// Forgets what no longer counts, and else the oldest.
fn make_room<T>(
    kept: &mut HashMap<Digest, T>,
    most: usize,
    at: impl Fn(&T) -> Tick,
    ttl: Duration,
    now: Tick,
) {
    kept.retain(|_, value| now - at(value) < ttl);
    if kept.len() >= most {
        let oldest = kept.iter().min_by_key(|(_, value)| at(value));
        if let Some(digest) = oldest.map(|(digest, _)| *digest) {
            kept.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(name: &str) -> Verdict {
        Verdict::Right(name.into())
    }

    #[test]
    fn a_verdict_counts_for_its_time() {
        let (ttl, now) = (Duration::from_secs(60), Tick::now());
        let mut cache = Cache::new(ttl);
        cache.put([1; 32], &right("ann"), now);
        cache.put([2; 32], &Verdict::Wrong, now);
        cache.put([3; 32], &Verdict::Busy, now);
        let almost = now + (ttl - Duration::from_millis(1));
        assert_eq!(cache.get(&[1; 32], now), Some((right("ann"), false)));
        assert_eq!(cache.get(&[1; 32], almost), Some((right("ann"), true)));
        assert_eq!(cache.get(&[2; 32], almost), Some((Verdict::Wrong, false)));
        assert_eq!(cache.get(&[3; 32], almost), None);
        assert_eq!(cache.get(&[1; 32], now + ttl), None);
        assert_eq!(cache.get(&[2; 32], now + ttl), None);
        cache.clear();
        assert_eq!(cache.get(&[1; 32], now), None);
    }

    #[test]
    fn without_a_time_nothing_is_kept() {
        let now = Tick::now();
        let mut cache = Cache::new(Duration::ZERO);
        cache.put([1; 32], &right("ann"), now);
        assert_eq!(cache.get(&[1; 32], now), None);
        assert!(cache.right.is_empty());
    }

    #[test]
    fn wrong_guesses_do_not_push_out_the_right_ones() {
        let mut now = Tick::now();
        let mut cache = Cache::new(Duration::from_secs(60));
        cache.put([255; 32], &right("ann"), now);
        for n in 0..2 * WRONG as u16 {
            now = now + Duration::from_nanos(1);
            let mut digest = [0; 32];
            digest[..2].copy_from_slice(&n.to_le_bytes());
            cache.put(digest, &Verdict::Wrong, now);
        }
        assert!(cache.wrong.len() <= WRONG);
        assert_eq!(cache.get(&[255; 32], now), Some((right("ann"), false)));
    }

    #[test]
    fn digests_differ_by_credentials_and_by_process() {
        let (one, other) = (Digester::new().unwrap(), Digester::new().unwrap());
        assert_eq!(one.digest(b"x"), one.digest(b"x"));
        assert_ne!(one.digest(b"x"), one.digest(b"y"));
        assert_ne!(one.digest(b"x"), other.digest(b"x"));
    }
}
