//! Names of functions as a reader wants them: without hashes and without the types of a
//! server's futures, which fill a page each.

use std::borrow::Cow;

use super::task::alive::short_path;

/// `a::b<c::D<E>>::f::h0123456789abcdef` as `a::b::f`. What begins with a bracket, such as
/// `<a::B as c::D>::e`, keeps that one.
pub fn short(function: &str) -> String {
    without_generics(&without_hashes(function))
}

/// The same for a frame of a profile: a function that was inlined has lost the path of its
/// module, so it gets its file instead.
pub fn short_with_file(function: &str, file: Option<Cow<'_, str>>) -> String {
    let name = short(function);
    match file {
        Some(file) if !name.contains("::") && file.ends_with(".rs") => {
            format!("{name} ({})", short_path(&file))
        }
        _ => name,
    }
}

/// Whether a function, or the type whose trait it implements, is below a path.
pub fn is_below(function: &str, path: &str) -> bool {
    let bare = function.trim_start_matches(['<', '&', '*']);
    bare.starts_with(path)
}

/// Takes off the hash at the end, and those of crates, as in `std[0123456789abcdef]::io`.
fn without_hashes(function: &str) -> String {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let function = match function.rsplit_once("::h") {
        Some((name, hash)) if is_hash(hash) => name,
        _ => function,
    };
    let mut parts = function.split('[');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((hash, rest)) if is_hash(hash) => kept.push_str(rest),
            _ => {
                kept.push('[');
                kept.push_str(part);
            }
        }
    }
    kept
}

fn without_generics(function: &str) -> String {
    let mut kept = String::new();
    let mut depth = 0_u32;
    let mut before = None;
    let of_a_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '}');
    for c in function.chars() {
        match c {
            '<' if depth > 0 || before.is_some_and(of_a_name) => depth += 1,
            // Not the end of an arrow.
            '>' if depth > 0 && before != Some('-') => depth -= 1,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
        before = Some(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_lose_their_hash_and_their_types() {
        for (function, expected) in [
            ("a::b::h0123456789abcdef", "a::b"),
            ("a::hello", "a::hello"),
            ("<std[0123456789abcdef]::a>::b", "<std::a>::b"),
            ("a::b::[u8]::c", "a::b::[u8]::c"),
            ("poll<a::B<fn() -> C>, d::{impl#3}>", "poll"),
            ("a::b<c::D>::e", "a::b::e"),
            ("a::b<C>::{{closure}}", "a::b::{{closure}}"),
            ("<a::B<C> as d::E>::f", "<a::B as d::E>::f"),
            ("{async_fn#0}<bool>", "{async_fn#0}"),
        ] {
            assert_eq!(short(function), expected);
        }
        let file = || Some(Cow::from("/home/a/torc/src/engine/sweep.rs"));
        let inlined = short_with_file("{async_fn#0}", file());
        assert_eq!(inlined, "{async_fn#0} (src/engine/sweep.rs)");
        assert_eq!(short_with_file("a::b", file()), "a::b");
        let of_c = short_with_file("sqlite3_step", Some(Cow::from("/a/src/sqlite3.c")));
        assert_eq!(of_c, "sqlite3_step");
    }

    #[test]
    fn a_function_is_below_its_crate() {
        assert!(is_below("a::b", "a::"));
        assert!(is_below("<&a::B as c::D>::e", "a::"));
        assert!(!is_below("b::a::c", "a::"));
    }
}
