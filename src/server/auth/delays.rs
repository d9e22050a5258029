//! How long the next guess of a password has to wait: the longer, the more were wrong.
//!
//! Counted for each user and each address, from the beginning of a check on, so that many
//! at one time do not all pass as the first. A right password waits as well, some seconds
//! at most.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Tick;

/// Wrong passwords of a user that cost nothing: people mistype.
const FREE_OF_USER: u32 = 3;
/// The same of an address, behind which there may be many people.
const FREE_OF_ADDRESS: u32 = 10;
/// What the first one after those costs; each further one costs twice as much.
const FIRST: Duration = Duration::from_millis(250);
/// The most that a check waits.
const LONGEST: Duration = Duration::from_secs(4);
/// When failures are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// Users and addresses that are remembered, together.
const REMEMBERED: usize = 8192;
/// Checks of one address that may go on at one time.
const OPEN_OF_ADDRESS: u32 = 16;

/// The failures of late.
pub struct Delays {
    by_key: HashMap<u64, Failures>,
    keys: RandomState,
}

struct Failures {
    count: u32,
    open: u32,
    last: Tick,
}

/// A check that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    user: u64,
    address: u64,
    /// How long to wait before it.
    pub wait: Duration,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The password was right.
    Right,
    /// It was wrong.
    Wrong,
    /// There was no check after all.
    None,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            by_key: HashMap::new(),
            keys: RandomState::new(),
        }
    }
}

impl Delays {
    /// Begins a check: it counts as wrong until it has ended. None if the address has as
    /// many open as it may.
    pub fn begin(&mut self, user: &str, address: IpAddr, now: Tick) -> Option<Guess> {
        let user = self.keys.hash_one(("user", user));
        let address = self.keys.hash_one(("address", network(address)));
        let of_address = self.failures(address, now);
        if of_address.open >= OPEN_OF_ADDRESS {
            return None;
        }
        of_address.open += 1;
        let wait = delay(of_address.count, FREE_OF_ADDRESS);
        of_address.count = of_address.count.saturating_add(1);
        let of_user = self.failures(user, now);
        let wait = wait.max(delay(of_user.count, FREE_OF_USER));
        of_user.open += 1;
        of_user.count = of_user.count.saturating_add(1);
        Some(Guess {
            user,
            address,
            wait,
        })
    }

    /// Ends a check.
    pub fn end(&mut self, guess: Guess, ending: Ending) {
        for key in [guess.user, guess.address] {
            let Some(failures) = self.by_key.get_mut(&key) else {
                continue;
            };
            failures.open = failures.open.saturating_sub(1);
            failures.count = match ending {
                Ending::Wrong => failures.count,
                Ending::None => failures.count.saturating_sub(1),
                Ending::Right if key == guess.user => 0,
                // Not all: whoever has a password of his own could go on guessing others'.
                Ending::Right => failures.count.saturating_sub(1) / 2,
            };
        }
    }

    fn failures(&mut self, key: u64, now: Tick) -> &mut Failures {
        if self.by_key.len() >= REMEMBERED && !self.by_key.contains_key(&key) {
            self.make_room(now);
        }
        let failures = self.by_key.entry(key).or_insert(Failures {
            count: 0,
            open: 0,
            last: now,
        });
        if now - failures.last > FORGOTTEN {
            failures.count = failures.open;
        }
        failures.last = now;
        failures
    }

    /// Forgets what is old, and else the oldest.
    fn make_room(&mut self, now: Tick) {
        self.by_key
            .retain(|_, kept| kept.open > 0 || now - kept.last <= FORGOTTEN);
        if self.by_key.len() >= REMEMBERED {
            let oldest = self.by_key.iter().min_by_key(|(_, kept)| kept.last);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.by_key.remove(&key);
            }
        }
    }
}

/// What one guess waits after so many wrong ones.
fn delay(wrong: u32, free: u32) -> Duration {
    let Some(doublings) = wrong.checked_sub(free) else {
        return Duration::ZERO;
    };
    FIRST
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(LONGEST)
}

/// An address of IPv4, or the half of one of IPv6 that a site is given: who has one has
/// all of the other half.
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// One check that ends at once; answers how long it had to wait.
    fn guess(delays: &mut Delays, user: &str, from: &str, now: Tick, ending: Ending) -> Duration {
        let guess = delays.begin(user, address(from), now).unwrap();
        delays.end(guess, ending);
        guess.wait
    }

    #[test]
    fn the_wait_doubles_up_to_a_bound() {
        let waits: Vec<u128> = (0..10).map(|n| delay(n, 3).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(delay(u32::MAX, 0), LONGEST);
    }

    #[test]
    fn failures_of_a_user_count_from_wherever_they_come() {
        let (mut delays, now) = (Delays::default(), Tick::now());
        for n in 0..4 {
            guess(
                &mut delays,
                "ann",
                &format!("10.0.0.{n}"),
                now,
                Ending::Wrong,
            );
        }
        assert_eq!(
            guess(&mut delays, "ann", "10.0.1.1", now, Ending::None),
            2 * FIRST
        );
        assert_eq!(
            guess(&mut delays, "bob", "10.0.0.1", now, Ending::None),
            Duration::ZERO
        );
        // The right one waits, and then all is forgotten.
        assert_eq!(
            guess(&mut delays, "ann", "10.0.1.1", now, Ending::Right),
            2 * FIRST
        );
        assert_eq!(
            guess(&mut delays, "ann", "10.0.1.1", now, Ending::Wrong),
            Duration::ZERO
        );
    }

    #[test]
    fn failures_of_an_address_count_for_whomever_they_are() {
        let (mut delays, now) = (Delays::default(), Tick::now());
        for n in 0..12 {
            guess(
                &mut delays,
                &format!("user{n}"),
                "2001:db8::1",
                now,
                Ending::Wrong,
            );
        }
        let wait = guess(&mut delays, "ann", "2001:db8::ffff", now, Ending::Right);
        assert_eq!(wait, 4 * FIRST);
        // A success halves the count of the address, so that it cannot wash others' away.
        assert_eq!(
            guess(&mut delays, "bob", "2001:db8::1", now, Ending::Wrong),
            Duration::ZERO
        );
        assert_eq!(
            guess(&mut delays, "bob", "2001:db8:0:1::1", now, Ending::Wrong),
            Duration::ZERO
        );
    }

    #[test]
    fn guesses_at_one_time_do_not_all_pass_as_the_first() {
        let (mut delays, now) = (Delays::default(), Tick::now());
        let from = address("10.0.0.1");
        let mut begin = || delays.begin("ann", from, now);
        let open: Vec<Guess> = std::iter::from_fn(&mut begin).collect();
        assert_eq!(open.len(), OPEN_OF_ADDRESS as usize);
        assert_eq!(open.last().unwrap().wait, LONGEST);
        assert!(begin().is_none());
        for guess in open {
            delays.end(guess, Ending::None);
        }
        assert_eq!(delays.begin("ann", from, now).unwrap().wait, Duration::ZERO);
    }

    #[test]
    fn failures_are_forgotten_after_a_while() {
        let (mut delays, now) = (Delays::default(), Tick::now());
        for _ in 0..9 {
            guess(&mut delays, "ann", "10.0.0.1", now, Ending::Wrong);
        }
        let later = now + FORGOTTEN;
        assert_eq!(
            guess(&mut delays, "ann", "10.0.0.2", later, Ending::Wrong),
            LONGEST
        );
        let much_later = later + FORGOTTEN + Duration::from_secs(1);
        let wait = guess(&mut delays, "ann", "10.0.0.2", much_later, Ending::Wrong);
        assert_eq!(wait, Duration::ZERO);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut delays, mut now) = (Delays::default(), Tick::now());
        for n in 0..REMEMBERED as u32 + 50 {
            now = now + Duration::from_nanos(1);
            guess(
                &mut delays,
                &format!("user{n}"),
                "10.0.0.1",
                now,
                Ending::Wrong,
            );
        }
        assert!(delays.by_key.len() <= REMEMBERED);
    }
}
