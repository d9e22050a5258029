//! Checks credentials, few at a time and away from the threads that serve.
//!
//! A check takes a quarter of a second of a processor, on purpose. So verdicts are kept for
//! a while, wrong ones too; the same credentials are checked once however many ask with
//! them; what is checked at one time is bounded, and so is what waits for it. A check goes
//! on when the client has left, or clients that leave could start any number of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Semaphore, watch};
use zeroize::Zeroizing;

use super::AuthError;
use super::cache::{Cache, Digest, Digester, Verdict};
use super::delays::{Delays, Ending, Guess};
use crate::clock::Tick;
use crate::htpasswd::Users;
use crate::telemetry::{resource, task};

/// Different credentials that wait for their check, those that are delayed included.
const OPEN: usize = 256;
/// How long a check may wait for its turn, before the client should try again.
const TURN: Duration = Duration::from_secs(10);
/// What begins the header of the one scheme that is understood, in any case.
const SCHEME: &str = "Basic ";

type Open = HashMap<Digest, watch::Receiver<Option<Verdict>>>;

/// What checks credentials.
pub struct Checks {
    file: PathBuf,
    digester: Digester,
    known: RwLock<Known>,
    open: Mutex<Open>,
    delays: Mutex<Delays>,
    turns: Semaphore,
}

/// The users, and what was found out by them.
struct Known {
    users: Arc<Users>,
    cache: Cache,
}

/// What a client says of itself.
struct Credentials {
    bytes: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Credentials {
    /// From what stands behind `Basic`; none if that is malformed.
    fn decode(text: &[u8]) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).ok()?);
        let colon = bytes.iter().position(|byte| *byte == b':')?;
        str::from_utf8(&bytes[..colon]).ok()?;
        Some(Self { bytes, colon })
    }

    fn name(&self) -> &str {
        // Looked at when it was decoded; nobody has an empty name.
        str::from_utf8(&self.bytes[..self.colon]).unwrap_or_default()
    }

    fn password(&self) -> &[u8] {
        &self.bytes[self.colon + 1..]
    }
}

impl Checks {
    /// Reads the users.
    pub fn new(file: PathBuf, ttl: Duration) -> Result<Self, AuthError> {
        let users = Users::read(&file)?;
        tracing::info!(users = users.count(), file = %file.display(), "authentication is on");
        let known = Known {
            users: Arc::new(users),
            cache: Cache::new(ttl),
        };
        // Half of the processors: the other half goes on serving.
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            file,
            digester: Digester::new().map_err(AuthError::Key)?,
            known: RwLock::new(known),
            open: Mutex::default(),
            delays: Mutex::default(),
            turns: resource::unseen(|| Semaphore::new((cpus / 2).max(1))),
        })
    }

    /// The users as they are now.
    pub fn users(&self) -> Arc<Users> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known.users)
    }

    /// Reads the users again, and forgets what was found out. Answers how many there are.
    pub async fn reload(self: Arc<Self>) -> Result<usize, String> {
        let file = self.file.clone();
        let read = task::spawn_blocking("read-auth-file", move || Users::read(&file)).await;
        let users = match read {
            Ok(users) => users.map_err(|error| error.to_string())?,
            Err(error) => return Err(format!("the auth file was not read: {error}")),
        };
        let count = users.count();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.users = Arc::new(users);
        known.cache.clear();
        // Nobody else should be told what is found out by the old ones.
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        drop(known);
        tracing::info!(users = count, "the auth file was read again");
        Ok(count)
    }

    /// What the header of a request is worth.
    pub async fn verdict(self: &Arc<Self>, given: &HeaderValue, from: IpAddr) -> Verdict {
        let given = given.as_bytes();
        let scheme = given.get(..SCHEME.len());
        if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes())) {
            return Verdict::NotGiven;
        }
        let given = &given[SCHEME.len()..];
        let digest = self.digester.digest(given);
        let cached = self.cached(&digest);
        if let Some((verdict, false)) = cached {
            return verdict;
        }
        let Some(credentials) = Credentials::decode(given) else {
            return Verdict::Wrong;
        };
        if let Some((verdict, _ageing)) = cached {
            // Only begun: this one need not wait for it, nor those that come meanwhile.
            self.join(digest, credentials, from);
            return verdict;
        }
        let Some(mut outcome) = self.join(digest, credentials, from) else {
            return Verdict::Busy;
        };
        let verdict = match outcome.wait_for(Option::is_some).await {
            Ok(verdict) => verdict.clone(),
            Err(_gone) => None,
        };
        verdict.unwrap_or(Verdict::Busy)
    }

    fn cached(&self, digest: &Digest) -> Option<(Verdict, bool)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.cache.get(digest, Tick::now())
    }

    /// Joins the check of the same credentials, or begins it; none if there are too many.
    fn join(
        self: &Arc<Self>,
        digest: Digest,
        credentials: Credentials,
        from: IpAddr,
    ) -> Option<watch::Receiver<Option<Verdict>>> {
        // The users first: a reload that comes in between then finds this one open.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let users = Arc::clone(&known.users);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose task is gone tells nothing any more.
        let open_one = open.get(&digest);
        if let Some(outcome) = open_one.filter(|outcome| outcome.has_changed().is_ok()) {
            return Some(outcome.clone());
        }
        if open.len() >= OPEN {
            return None;
        }
        let guess = self.delays().begin(credentials.name(), from, Tick::now())?;
        let (tell, outcome) = watch::channel(None);
        open.insert(digest, outcome.clone());
        drop(open);
        drop(known);
        let checks = Arc::clone(self);
        task::spawn("password-check", async move {
            let verdict = checks.check(&users, credentials, guess, from).await;
            checks.conclude(digest, &users, &verdict, &tell);
            tell.send_replace(Some(verdict));
        });
        Some(outcome)
    }

    /// Waits as long as a guess has to, then checks.
    async fn check(
        &self,
        users: &Arc<Users>,
        credentials: Credentials,
        guess: Guess,
        from: IpAddr,
    ) -> Verdict {
        let is_user = users.has(credentials.name());
        tokio::time::sleep(guess.wait).await;
        let found = match tokio::time::timeout(TURN, self.turns.acquire()).await {
            Ok(Ok(_turn)) => {
                let users = Arc::clone(users);
                let check = move || users.check(credentials.name(), credentials.password());
                task::spawn_blocking("bcrypt", check).await.ok()
            }
            _ => None,
        };
        let (verdict, ending) = match found {
            Some(Some(name)) => (Verdict::Right(name), Ending::Right),
            Some(None) => (Verdict::Wrong, Ending::Wrong),
            None => (Verdict::Busy, Ending::None),
        };
        self.delays().end(guess, ending);
        if ending == Ending::Wrong {
            // Not the name: people type their password into that field.
            tracing::warn!(%from, is_user, "wrong credentials");
        }
        verdict
    }

    /// Keeps a verdict, unless other users came meanwhile.
    fn conclude(
        &self,
        digest: Digest,
        users: &Arc<Users>,
        verdict: &Verdict,
        tell: &watch::Sender<Option<Verdict>>,
    ) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&known.users, users) {
            known.cache.put(digest, verdict, Tick::now());
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = |outcome: &watch::Receiver<_>| outcome.same_channel(&tell.subscribe());
        if open.get(&digest).is_some_and(ours) {
            open.remove(&digest);
        }
    }

    fn delays(&self) -> std::sync::MutexGuard<'_, Delays> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who comes late in the life of a verdict has it from the cache, and the check that this
    /// one begins makes it young again.
    #[tokio::test]
    async fn a_verdict_is_renewed_before_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users");
        let hash = crate::htpasswd::hash("secret", 4).unwrap();
        std::fs::write(&file, format!("ann:{hash}\n")).unwrap();
        let ttl = Duration::from_secs(40);
        let checks = Arc::new(Checks::new(file, ttl).unwrap());
        let given = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode("ann:secret")));
        let given = given.unwrap();
        let digest = checks.digester.digest(&given.as_bytes()[SCHEME.len()..]);
        let right = Verdict::Right("ann".into());
        let old = Tick::now().before(Duration::from_secs(30));
        checks.known.write().unwrap().cache.put(digest, &right, old);
        assert_eq!(checks.cached(&digest), Some((right.clone(), true)));
        let here = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(checks.verdict(&given, here).await, right);
        let begun = checks.open.lock().unwrap().get(&digest).cloned();
        let mut begun = begun.expect("a check has begun");
        begun.wait_for(Option::is_some).await.unwrap();
        assert_eq!(checks.cached(&digest), Some((right, false)));
        assert!(checks.open.lock().unwrap().is_empty());
    }

    fn decode(text: &str) -> Option<(String, Vec<u8>)> {
        let credentials = Credentials::decode(STANDARD.encode(text).as_bytes())?;
        Some((
            credentials.name().to_owned(),
            credentials.password().to_vec(),
        ))
    }

    #[test]
    fn a_password_may_hold_colons() {
        let (name, password) = decode("ann:a:b").unwrap();
        assert_eq!((name.as_str(), &*password), ("ann", &b"a:b"[..]));
        assert_eq!(decode("ann:").unwrap().1, b"");
        assert!(decode("ann").is_none());
        for malformed in ["", "%%%", "YW5uOmE", "YW5uOmE=x"] {
            assert!(
                Credentials::decode(malformed.as_bytes()).is_none(),
                "{malformed}"
            );
        }
        assert!(Credentials::decode(STANDARD.encode(b"\xff:a").as_bytes()).is_none());
    }
}
