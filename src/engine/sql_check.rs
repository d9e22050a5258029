//! Which statements an administrator may run (contract, behaviour 18): decided by their
//! words, without a database. What stands in texts, quoted names and comments says nothing.

/// A piece of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// An unquoted word.
    Word(&'a str),
    Open,
    Close,
    End,
    /// A text, a quoted name, a number, an operator.
    Other,
}

/// Takes a statement apart.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    /// Goes past a piece that ends with `end`, which doubled does not end it.
    fn quoted(&mut self, end: char) -> Token<'a> {
        let mut rest = self.0[1..].char_indices().peekable();
        while let Some((at, letter)) = rest.next() {
            if letter != end {
                continue;
            }
            let doubled = end != ']' && rest.peek().is_some_and(|(_, next)| *next == end);
            if !doubled {
                self.0 = &self.0[1 + at + letter.len_utf8()..];
                return Token::Other;
            }
            rest.next();
        }
        self.0 = "";
        Token::Other
    }

    /// Goes past what starts at `start` letters from here and ends behind `end`.
    fn skip(&mut self, start: usize, end: &str) {
        let from = &self.0[start..];
        self.0 = from.find(end).map_or("", |at| &from[at + end.len()..]);
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            // As SQLite has it; what else is white may stand in a name.
            self.0 = self
                .0
                .trim_start_matches(['\t', '\n', '\x0b', '\x0c', '\r', ' ']);
            if self.0.starts_with("--") {
                self.skip(2, "\n");
            } else if self.0.starts_with("/*") {
                self.skip(2, "*/");
            } else {
                break;
            }
        }
        let first = self.0.chars().next()?;
        let one = |token| (token, first.len_utf8());
        let (token, length) = match first {
            '\'' | '"' | '`' => return Some(self.quoted(first)),
            '[' => return Some(self.quoted(']')),
            '(' => one(Token::Open),
            ')' => one(Token::Close),
            ';' => one(Token::End),
            _ if is_word(first) => {
                let end = self.0.find(|letter| !is_word(letter));
                let word = &self.0[..end.unwrap_or(self.0.len())];
                let number = first.is_ascii_digit();
                let token = if number {
                    Token::Other
                } else {
                    Token::Word(word)
                };
                (token, word.len())
            }
            _ => one(Token::Other),
        };
        self.0 = &self.0[length..];
        Some(token)
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii()
}

/// What is never run.
/// `CREATE` among it: a temporary table would hide one of ours from the writer.
const NEVER: [&str; 6] = ["ATTACH", "DETACH", "DROP", "ALTER", "TRUNCATE", "CREATE"];
/// With what a reading statement begins.
const READS: [&str; 3] = ["SELECT", "WITH", "VALUES"];
/// What would reach past the statement's own transaction.
const TRANSACTIONS: [&str; 7] = [
    "PRAGMA",
    "BEGIN",
    "COMMIT",
    "END",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
];
/// What a statement may do, after its `WITH`.
const VERBS: [&str; 5] = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"];

/// Refuses a statement, with the reason.
///
/// # Errors
///
/// No statement or several, one that is not of the allowed kinds, a change of a whole
/// table that was not asked for as such.
pub fn check(sql: &str, write: bool, allow_full_table: bool) -> Result<(), String> {
    if sql.contains('\0') {
        // SQLite reads no further.
        return Err("A SQL statement ends at a NUL character".to_owned());
    }
    let tokens: Vec<Token<'_>> = Tokens(sql).collect();
    let end = tokens
        .iter()
        .position(|token| *token == Token::End)
        .unwrap_or(tokens.len());
    if tokens[end..].iter().any(|token| *token != Token::End) {
        return Err("Only a single SQL statement is allowed".to_owned());
    }
    let tokens = &tokens[..end];
    let first = match tokens.first() {
        None => return Err("The SQL statement is empty".to_owned()),
        Some(Token::Word(word)) => word.to_uppercase(),
        Some(_) => return Err("A SQL statement begins with a word".to_owned()),
    };
    if NEVER.contains(&first.as_str()) {
        return Err(format!("{first} statements are not allowed"));
    }
    if !write {
        if READS.contains(&first.as_str()) && verb(tokens) == "SELECT" {
            return Ok(());
        }
        let got = if READS.contains(&first.as_str()) {
            verb(tokens)
        } else {
            first
        };
        return Err(format!(
            "Only SELECT, WITH, or VALUES statements are allowed on the read path; got {got}. \
             Set write=true for statements that modify data."
        ));
    }
    if TRANSACTIONS.contains(&first.as_str()) {
        return Err(format!(
            "{first} statements are not allowed on the write path"
        ));
    }
    if rolls_back(tokens) {
        return Err("OR ROLLBACK is not allowed: it would undo the audit log".to_owned());
    }
    let verb = verb(tokens);
    if matches!(verb.as_str(), "UPDATE" | "DELETE") && !allow_full_table && !has_where(tokens) {
        return Err(
            "Refusing to run an UPDATE/DELETE with no WHERE clause. Pass allow_full_table=true \
             to override."
                .to_owned(),
        );
    }
    Ok(())
}

/// The words outside of all parentheses.
fn outer<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = &'a str> {
    let mut depth = 0_usize;
    tokens.iter().filter_map(move |token| {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 => return Some(*word),
            _ => {}
        }
        None
    })
}

/// What the statement does, `VALUES` counted as reading.
fn verb(tokens: &[Token<'_>]) -> String {
    let mut words = outer(tokens).map(str::to_uppercase);
    let found = words.find(|word| VERBS.contains(&word.as_str()) || word == "VALUES");
    match found.as_deref() {
        None | Some("VALUES") => "SELECT".to_owned(),
        Some(verb) => verb.to_owned(),
    }
}

fn has_where(tokens: &[Token<'_>]) -> bool {
    outer(tokens).any(|word| word.eq_ignore_ascii_case("where"))
}

fn rolls_back(tokens: &[Token<'_>]) -> bool {
    tokens.windows(2).any(|pair| match pair {
        [Token::Word(or), Token::Word(what)] => {
            or.eq_ignore_ascii_case("or") && what.eq_ignore_ascii_case("rollback")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reading_takes_what_reads() {
        for sql in [
            "SELECT 1",
            "select ';' ; ",
            " /* DROP */ SELECT 1 -- ; DELETE",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "SELECT \"drop\", [a;b], `c;d`, 'it''s; DELETE' FROM t;",
            "SELECT replace(a, 'b', 'c') FROM t",
        ] {
            assert_eq!(check(sql, false, false), Ok(()), "{sql}");
        }
        for sql in [
            "",
            " -- nothing",
            "SELECT 1; SELECT 2",
            "DELETE FROM job",
            "PRAGMA user_version",
            "EXPLAIN SELECT 1",
            "ATTACH 'x' AS y",
            "WITH a AS (SELECT 1) DELETE FROM job",
            "with a as (select 1) update job set name = 'x'",
            "'SELECT'",
            "SELECT 1 /* ; */; DROP TABLE job",
        ] {
            assert!(check(sql, false, false).is_err(), "{sql}");
        }
    }

    #[test]
    fn writing_leaves_transactions_and_whole_tables_alone() {
        for sql in [
            "UPDATE job SET priority = 1 WHERE id = 1",
            "DELETE FROM job WHERE id = 1",
            "INSERT INTO job (name) VALUES ('a') ON CONFLICT DO UPDATE SET name = 'b'",
            "WITH a AS (SELECT 1) DELETE FROM job WHERE id IN a",
            "SELECT 1",
        ] {
            assert_eq!(check(sql, true, false), Ok(()), "{sql}");
        }
        for sql in [
            "UPDATE job SET priority = 1",
            "DELETE FROM job",
            "DELETE FROM job /* WHERE id = 1 */",
            "DELETE FROM \"where\"",
            "UPDATE job SET name = (SELECT name FROM job WHERE id = 1)",
            "WITH a AS (SELECT 1 WHERE 1) UPDATE job SET priority = 1",
            "UPDATE job AS \u{a0}where SET priority = 1",
            "DELETE FROM event AS \u{1f600}where",
        ] {
            assert!(check(sql, true, false).is_err(), "{sql}");
            assert_eq!(check(sql, true, true), Ok(()), "{sql}");
        }
        for sql in [
            "PRAGMA writable_schema = 1",
            "begin",
            "COMMIT",
            "ROLLBACK TO x",
            "savepoint x",
            "DROP TABLE job",
            "CREATE TEMP TABLE file AS SELECT 1",
            "create table temp.file (id)",
            "UPDATE job SET priority = 7\0 WHERE id = 1",
            "ALTER TABLE job ADD x",
            "UPDATE OR ROLLBACK job SET id = 1 WHERE id = 2",
        ] {
            assert!(check(sql, true, true).is_err(), "{sql}");
        }
    }

    proptest! {
        /// Whatever is sent, it is decided, and texts cannot hide a second statement.
        #[test]
        fn anything_is_decided(sql in "\\PC*", text in "[^'\\x00]*") {
            let _ = check(&sql, false, false);
            let _ = check(&sql, true, true);
            let hidden = format!("SELECT '{text}'");
            prop_assert_eq!(check(&hidden, false, false), Ok(()));
            let shown = format!("SELECT '{text}'; DELETE FROM job WHERE 1");
            prop_assert!(check(&shown, true, true).is_err());
        }
    }
}
