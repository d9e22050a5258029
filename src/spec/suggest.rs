//! "Did you mean ...?"

use strsim::damerau_levenshtein;

/// Names looked at for one suggestion; more would make a spec full of mistakes slow.
const LOOKED_AT: usize = 20_000;

/// The help line for `wrong`, if one of `known` is close to it.
pub fn did_you_mean<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    closest(wrong, known).map(|name| format!("did you mean `{name}`?"))
}

/// The name closest to `wrong`, if it is close enough to be a slip.
fn closest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let length = wrong.chars().count();
    // A third of the letters may be wrong; in a short word at least one.
    let allowed = (length / 3).max(1);
    known
        .into_iter()
        .take(LOOKED_AT)
        .filter(|name| name.chars().count().abs_diff(length) <= allowed)
        .map(|name| (damerau_levenshtein(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn slips_are_recognized_and_strangers_are_not() {
        let known = ["depends_on", "command", "name"];
        let help = |wrong| did_you_mean(wrong, known);
        assert_eq!(
            help("depnds_on").as_deref(),
            Some("did you mean `depends_on`?")
        );
        assert_eq!(help("comand").as_deref(), Some("did you mean `command`?"));
        assert_eq!(help("colour"), None);
        assert_eq!(help(""), None);
    }
}
