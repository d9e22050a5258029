//! Finds things by their names and by patterns over their names, quickly also among many.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;

use super::suggest::did_you_mean;

/// What a pattern matches, or why it is none.
type Matching = Result<Rc<Vec<usize>>, String>;

/// All names of one kind, such as the names of all jobs.
pub struct Names<'n> {
    all: Vec<&'n str>,
    by_name: HashMap<&'n str, usize>,
    /// The places in `all`, sorted by name.
    sorted: OnceCell<Vec<usize>>,
    /// Many jobs have the same pattern, as a fan-in has; each is looked for once.
    matched: RefCell<HashMap<String, Matching>>,
}

impl<'n> Names<'n> {
    /// An index of the names; of equal ones the first counts.
    pub fn new(all: Vec<&'n str>) -> Self {
        let mut by_name = HashMap::with_capacity(all.len());
        for (index, name) in all.iter().enumerate() {
            by_name.entry(*name).or_insert(index);
        }
        Self {
            all,
            by_name,
            sorted: OnceCell::new(),
            matched: RefCell::default(),
        }
    }

    /// The place of a name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The help line for a name that is not there.
    pub fn suggest(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.all.iter().copied())
    }

    /// The places of all names in which the pattern is found, ascending.
    ///
    /// # Errors
    ///
    /// Why the pattern is none.
    pub fn matching(&self, pattern: &str) -> Matching {
        if let Some(known) = self.matched.borrow().get(pattern) {
            return known.clone();
        }
        let found = self.search(pattern).map(Rc::new);
        self.matched
            .borrow_mut()
            .insert(pattern.to_owned(), found.clone());
        found
    }

    fn search(&self, pattern: &str) -> Result<Vec<usize>, String> {
        let prefix = anchored_prefix(pattern);
        // Compiling a pattern takes longer than all the rest; most need none.
        match pattern
            .strip_prefix('^')
            .and_then(|p| p.strip_prefix(prefix))
        {
            Some("" | ".*") if !prefix.is_empty() => return Ok(self.with_prefix(prefix, |_| true)),
            Some("$") => return Ok(self.with_prefix(prefix, |name| name == prefix)),
            _ => {}
        }
        let regex = Regex::new(pattern).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        })?;
        Ok(self.with_prefix(prefix, |name| regex.is_match(name)))
    }

    /// The places of the names that begin so and are `wanted`, ascending.
    fn with_prefix(&self, prefix: &str, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
        if prefix.is_empty() {
            let all = 0..self.all.len();
            return all.filter(|index| wanted(self.all[*index])).collect();
        }
        let sorted = self.sorted();
        let start = sorted.partition_point(|index| self.all[*index] < prefix);
        let mut found: Vec<usize> = sorted[start..]
            .iter()
            .copied()
            .take_while(|index| self.all[*index].starts_with(prefix))
            .filter(|index| wanted(self.all[*index]))
            .collect();
        found.sort_unstable();
        found
    }

    fn sorted(&self) -> &[usize] {
        self.sorted.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.all.len()).collect();
            sorted.sort_unstable_by_key(|index| self.all[*index]);
            sorted
        })
    }
}

/// The letters with which every match of an anchored pattern begins: `job_3_` of `^job_3_.*`.
///
/// A pattern per job, each over all names, would otherwise cost the square of the jobs.
fn anchored_prefix(pattern: &str) -> &str {
    let Some(rest) = pattern.strip_prefix('^') else {
        return "";
    };
    if pattern.contains('|') {
        return "";
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | ':' | '=');
    let end = rest.find(|c: char| !plain(c)).unwrap_or(rest.len());
    let (prefix, after) = rest.split_at(end);
    // A quantifier takes the letter before it back.
    if after.starts_with(['?', '*', '{']) {
        let last = prefix.chars().next_back().map_or(0, char::len_utf8);
        return &prefix[..prefix.len() - last];
    }
    prefix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::{Names, anchored_prefix};

    #[test]
    fn prefixes_of_patterns() {
        for (pattern, expected) in [
            ("^job_3_.*", "job_3_"),
            ("^job$", "job"),
            ("^jobs?", "job"),
            ("^jobs*x", "job"),
            ("^jobs{0,2}", "job"),
            ("^jobs+", "jobs"),
            ("^a|b", ""),
            ("job", ""),
            ("^(?i)job", ""),
            ("^[ab]", ""),
            ("^a\\.b", "a"),
        ] {
            assert_eq!(anchored_prefix(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_bad_pattern_says_why() {
        let names = Names::new(vec!["a"]);
        assert_eq!(names.matching("a(").unwrap_err(), "unclosed group");
    }

    proptest! {
        #[test]
        fn the_shortcut_finds_what_the_pattern_finds(
            names in proptest::collection::vec("[ab_]{0,4}", 0..30),
            pattern in r"\^?[ab_]{0,3}[?*+]?[ab.]{0,2}\$?(\|a)?",
        ) {
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            let index = Names::new(all.clone());
            if let Ok(regex) = Regex::new(&pattern) {
                let expected: Vec<usize> = (0..all.len()).filter(|i| regex.is_match(all[*i])).collect();
                let found = index.matching(&pattern).unwrap();
                prop_assert_eq!(found.as_slice(), expected);
            }
        }
    }
}
