//! What came lately: windows of the last seconds to the last hour, and marks to count from.
//!
//! Recording knows only one histogram for each series, from the start on. A thread looks
//! at them every two seconds and keeps what came, bucket by bucket: sixty seconds of such
//! intervals, and an hour of intervals of thirty seconds. A window is their sum and what
//! came since the last look, so it begins within one interval of where it should.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::window::{MARKS, RESET, Window, WindowError};
use super::{KINDS, Key, visit};
use crate::clock;
use crate::clock::Tick;
use crate::telemetry::series::{Delta, Series};

/// Time between two looks.
pub const FINE: Duration = Duration::from_secs(2);
/// Intervals of that length that are kept.
const FINE_KEPT: usize = 30;
/// So many of them make a coarse one.
const COARSE: usize = 15;
/// Coarse intervals that are kept: an hour.
const COARSE_KEPT: usize = 120;
/// Bytes that all intervals together may hold; the oldest go first.
const BYTES: usize = 16 << 20;

static HISTORY: LazyLock<Mutex<History>> = LazyLock::new(Mutex::default);

/// What came between two looks.
struct Interval {
    began: Tick,
    ended: Tick,
    /// When it ended, milliseconds since the epoch.
    ended_ms: i64,
    deltas: Vec<(Key, Delta)>,
    bytes: usize,
}

/// A state of all series to count from.
struct Mark {
    at: Tick,
    at_ms: i64,
    states: HashMap<Key, Delta>,
}

#[derive(Default)]
struct History {
    /// The state of each series at the last look.
    last: HashMap<Key, Delta>,
    looked: Option<Tick>,
    fine: VecDeque<Interval>,
    coarse: VecDeque<Interval>,
    /// Fine intervals that no coarse one holds yet: the newest ones.
    loose: usize,
    marks: BTreeMap<String, Mark>,
}

/// What came in a window.
pub struct Lately {
    /// The series with what came.
    pub series: HashMap<Key, Series>,
    /// How long the window is, which may be less than was asked for.
    pub span: Duration,
}

impl History {
    /// The series that something came to since the last look.
    fn changed(&self) -> Vec<(Key, Series)> {
        super::series(|key, series| {
            let known = self.last.get(key).map_or(0, Delta::count);
            series.count() != known
        })
    }

    /// What came to a series since the last look.
    fn fresh(&self, key: &Key, series: &Series) -> Delta {
        since(series, self.last.get(key))
    }

    fn look(&mut self, started: Tick) {
        let now = Tick::now();
        let mut deltas = Vec::new();
        for (key, series) in self.changed() {
            deltas.push((key, self.fresh(&key, &series)));
            self.last.insert(key, series.state());
        }
        let bytes = bytes_of(deltas.iter().map(|(_, delta)| delta));
        self.fine.push_back(Interval {
            began: self.looked.unwrap_or(started),
            ended: now,
            ended_ms: clock::now_ms(),
            deltas,
            bytes,
        });
        self.looked = Some(now);
        self.loose += 1;
        if self.loose >= COARSE {
            let newest = self.fine.len() - self.loose;
            let joined = join(self.fine.range(newest..));
            self.coarse.extend(joined);
            self.loose = 0;
        }
        while self.fine.len() > FINE_KEPT {
            self.fine.pop_front();
        }
        while self.coarse.len() > COARSE_KEPT || (self.bytes() > BYTES && self.coarse.len() > 1) {
            self.coarse.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        let of = |intervals: &VecDeque<Interval>| -> usize {
            intervals.iter().map(|interval| interval.bytes).sum()
        };
        of(&self.fine) + of(&self.coarse)
    }

    /// The intervals that make up the last `span`, newest first: fine ones as far as they
    /// reach, or up to where the coarse ones begin.
    fn back(&self, span: Duration) -> Vec<&Interval> {
        let fine = FINE * u32::try_from(FINE_KEPT).unwrap_or(u32::MAX);
        let fine_only = span <= fine;
        let take = if fine_only {
            self.fine.len()
        } else {
            self.loose
        };
        let newest_fine = self.fine.iter().rev().take(take);
        let coarse = self.coarse.iter().rev();
        let coarse = coarse.take(if fine_only { 0 } else { COARSE_KEPT });
        newest_fine.chain(coarse).collect()
    }

    /// Intervals without a gap, newest first: the coarse ones that reach farther back than
    /// the fine ones, and of these what comes after them.
    fn finest(&self) -> impl Iterator<Item = &Interval> {
        let oldest = self.fine.front().map(|interval| interval.began);
        let coarse = self.coarse.iter().rev();
        let coarse = coarse.skip_while(move |one| oldest.is_some_and(|oldest| one.began >= oldest));
        let joined = coarse.clone().next().map(|interval| interval.ended);
        let fine = self.fine.iter().rev();
        fine.take_while(move |one| joined.is_none_or(|joined| one.began >= joined))
            .chain(coarse)
    }

    fn last(&self, span: Duration, started: Tick) -> Lately {
        let mut series: HashMap<Key, Series> = HashMap::new();
        let now = Tick::now();
        let mut began = self.looked.unwrap_or(started);
        for (key, state) in self.changed() {
            let delta = self.fresh(&key, &state);
            series.entry(key).or_default().add_delta(&delta);
        }
        for interval in self.back(span) {
            // Half an interval too much or too little.
            if now - interval.began > span + (interval.ended - interval.began) / 2 {
                break;
            }
            began = interval.began;
            for (key, delta) in &interval.deltas {
                series.entry(*key).or_default().add_delta(delta);
            }
        }
        Lately {
            series,
            span: now - began,
        }
    }
}

impl Mark {
    fn lately(&self) -> Lately {
        let mut series = all();
        for (key, state) in &mut series {
            let came = since(state, self.states.get(key));
            *state = Series::default();
            state.add_delta(&came);
        }
        series.retain(|_, state| state.count() > 0);
        Lately {
            series,
            span: self.at.elapsed(),
        }
    }
}

/// What came to a series since a state; all of it if there was none.
fn since(series: &Series, before: Option<&Delta>) -> Delta {
    before.map_or_else(|| series.state(), |before| series.since(before))
}

/// Bytes that what came holds in memory.
fn bytes_of<'d>(deltas: impl Iterator<Item = &'d Delta>) -> usize {
    deltas.map(|delta| size_of::<Key>() + delta.bytes()).sum()
}

/// Several intervals as one; none of none.
fn join<'a>(intervals: impl Iterator<Item = &'a Interval> + Clone) -> Option<Interval> {
    let first = intervals.clone().next()?;
    let last = intervals.clone().last()?;
    let mut sums: HashMap<Key, Series> = HashMap::new();
    for (key, delta) in intervals.flat_map(|interval| &interval.deltas) {
        sums.entry(*key).or_default().add_delta(delta);
    }
    let deltas: Vec<_> = sums
        .into_iter()
        .map(|(key, series)| (key, series.state()))
        .collect();
    Some(Interval {
        began: first.began,
        ended: last.ended,
        ended_ms: last.ended_ms,
        bytes: bytes_of(deltas.iter().map(|(_, delta)| delta)),
        deltas,
    })
}

/// All series as they are now.
fn all() -> HashMap<Key, Series> {
    super::series(|_, _| true).into_iter().collect()
}

fn history() -> MutexGuard<'static, History> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks every two seconds, for as long as the process lives, in a thread of its own: a
/// runtime that is stuck is just what one wants to see.
///
/// # Errors
///
/// When the operating system has no thread to give.
pub fn keep(started: Tick) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("torc-recorder".to_owned())
        .spawn(move || {
            // While nothing else goes on yet.
            super::cost_ns();
            loop {
                std::thread::sleep(FINE);
                history().look(started);
            }
        })
        .map(drop)
}

/// What came since recording began, at `started`.
pub fn since_start(started: Tick) -> Lately {
    Lately {
        series: all(),
        span: started.elapsed(),
    }
}

/// What came in a window; `started` is when recording began.
///
/// # Errors
///
/// [`WindowError::NoMark`].
pub fn lately(window: &Window, started: Tick) -> Result<Lately, WindowError> {
    match window {
        Window::Start => Ok(since_start(started)),
        Window::Last(span) => Ok(history().last(*span, started)),
        Window::Mark(name) => {
            let history = history();
            match history.marks.get(name) {
                Some(mark) => Ok(mark.lately()),
                // Nothing was reset yet.
                None if name == RESET => Ok(since_start(started)),
                None => Err(WindowError::NoMark(name.clone())),
            }
        }
    }
}

/// Sets a mark to count from, in place of one of the same name.
///
/// # Errors
///
/// A bad name, or too many marks.
pub fn set_mark(name: &str) -> Result<(), WindowError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
        return Err(WindowError::BadName);
    }
    let mut history = history();
    if !history.marks.contains_key(name) && history.marks.len() >= MARKS {
        return Err(WindowError::TooMany);
    }
    let all = super::series(|_, _| true).into_iter();
    let states = all.map(|(key, series)| (key, series.state()));
    let mark = Mark {
        at: Tick::now(),
        at_ms: clock::now_ms(),
        states: states.collect(),
    };
    history.marks.insert(name.to_owned(), mark);
    Ok(())
}

/// Removes a mark; says whether there was one.
pub fn remove_mark(name: &str) -> bool {
    history().marks.remove(name).is_some()
}

/// The marks, each with its time in milliseconds since the epoch.
pub fn marks() -> Vec<(String, i64)> {
    let history = history();
    let marks = history.marks.iter();
    marks
        .map(|(name, mark)| (name.clone(), mark.at_ms))
        .collect()
}

/// How far back a window reaches; for one since the start or a mark, until now.
///
/// # Errors
///
/// [`WindowError::NoMark`].
pub fn reach(window: &Window, started: Tick) -> Result<Duration, WindowError> {
    match window {
        Window::Start => Ok(started.elapsed()),
        Window::Last(span) => Ok(*span),
        Window::Mark(name) => match history().marks.get(name) {
            Some(mark) => Ok(mark.at.elapsed()),
            None if name == RESET => Ok(started.elapsed()),
            None => Err(WindowError::NoMark(name.clone())),
        },
    }
}

/// A column of a heat map: what came to one series in one interval.
pub struct Column {
    /// When it ended, milliseconds since the epoch.
    pub ended_ms: i64,
    /// How long it is.
    pub span: Duration,
    /// Values and how many there were, ascending.
    pub buckets: Vec<(u64, u64)>,
}

/// The columns of one series over the last `span`, oldest first: as fine as they are kept.
pub fn columns(key: Key, span: Duration) -> Vec<Column> {
    let history = history();
    let now = Tick::now();
    let mut columns: Vec<Column> = history
        .finest()
        .take_while(|interval| now - interval.began <= span + FINE)
        .map(|interval| Column {
            ended_ms: interval.ended_ms,
            span: interval.ended - interval.began,
            buckets: interval
                .deltas
                .iter()
                .find(|(each, _)| *each == key)
                .map(|(_, delta)| delta.buckets().to_vec())
                .unwrap_or_default(),
        })
        .collect();
    columns.reverse();
    columns
}

/// Bytes that all series, intervals and marks hold, roughly.
pub fn bytes() -> usize {
    let mut live = 0;
    for kind in KINDS {
        visit(kind, |_, operation| {
            live += operation
                .parts()
                .map(|(_, series)| series.bytes())
                .sum::<usize>();
        });
    }
    let history = history();
    let marks = history.marks.values().flat_map(|mark| mark.states.values());
    live + bytes_of(history.last.values().chain(marks)) + history.bytes()
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Part, record};
    use super::*;

    fn add(name: &'static str, micros: u64) {
        record(Kind::Task, name, |operation| {
            let part = operation.part(Part::Whole);
            part.add_duration(Duration::from_micros(micros), 1);
        });
    }

    fn counted(lately: &Lately, name: &'static str) -> u64 {
        let (kind, part) = (Kind::Task, Part::Whole);
        let key = Key { kind, name, part };
        lately.series.get(&key).map_or(0, Series::count)
    }

    /// A window holds what its intervals and the time since hold, whatever was before.
    #[test]
    fn a_window_counts_what_came_in_it() {
        let started = Tick::now();
        let name = "history_test.window";
        add(name, 5);
        let mut history = History::default();
        history.look(started);
        for _ in 0..3 {
            add(name, 10);
        }
        history.look(started);
        add(name, 20);
        let all = history.last(Duration::from_secs(3600), started);
        assert_eq!(counted(&all, name), 5);
        // Twice asked is twice answered: looking takes nothing.
        let again = history.last(Duration::from_secs(10), started);
        assert_eq!(counted(&again, name), 5);
        let none = history.last(Duration::ZERO, started);
        assert!(counted(&none, name) >= 1, "what came since the last look");
    }

    /// However long it runs, it holds no more than an hour, and no value twice.
    #[test]
    fn intervals_are_joined_and_forgotten() {
        let started = Tick::now();
        let name = "history_test.joined";
        let mut history = History::default();
        for n in 0..(COARSE * (COARSE_KEPT + 3)) {
            if n % 100 == 0 {
                add(name, 7);
            }
            history.look(started);
        }
        assert_eq!(history.fine.len(), FINE_KEPT);
        assert_eq!(history.coarse.len(), COARSE_KEPT);
        let hour = history.last(Duration::from_secs(3600), started);
        assert_eq!(counted(&hour, name), 18, "one in 100 of the newest 1,800");
        assert!(history.bytes() < BYTES);
        // The finest view has no gap and no moment twice.
        let finest: Vec<&Interval> = history.finest().collect();
        assert!(finest.windows(2).all(|two| two[0].began == two[1].ended));
        assert!(finest.len() > COARSE_KEPT + FINE_KEPT - COARSE - 1);
    }

    /// Marks hold what was recorded, not room for what might be: eight of them, of some
    /// hundred operations whose times differ as they do, are a few MiB.
    #[test]
    fn marks_are_small() {
        let names: Vec<&'static str> = (0..150)
            .map(|n| &*Box::leak(format!("history_test.small.{n}").into_boxed_str()))
            .collect();
        for name in &names {
            for part in [
                Part::Whole,
                Part::Execute,
                Part::QueueWait,
                Part::CommitLatency,
            ] {
                record(Kind::Task, name, |operation| {
                    for n in 0..100_u64 {
                        let elapsed = Duration::from_micros(n * 37);
                        operation.part(part).add_duration(elapsed, 1);
                    }
                    // One that took long makes the histogram reach that far.
                    operation
                        .part(part)
                        .add_duration(Duration::from_secs(50), 1);
                });
            }
        }
        let before = bytes();
        for n in 0..7 {
            set_mark(&format!("small-{n}")).unwrap();
        }
        let grown = bytes() - before;
        for n in 0..7 {
            assert!(remove_mark(&format!("small-{n}")));
        }
        assert!(grown > 0 && grown < 12 << 20, "{grown}");
    }

    #[test]
    fn a_mark_counts_from_itself() {
        let started = Tick::now();
        let name = "history_test.marked";
        add(name, 1);
        set_mark("history-test").unwrap();
        add(name, 2);
        let window = Window::Mark("history-test".to_owned());
        assert_eq!(counted(&lately(&window, started).unwrap(), name), 1);
        let since_start = lately(&Window::Start, started).unwrap();
        assert_eq!(counted(&since_start, name), 2);
        assert!(remove_mark("history-test"));
        assert!(lately(&window, started).is_err());
        assert_eq!(set_mark("a b"), Err(WindowError::BadName));
    }
}
