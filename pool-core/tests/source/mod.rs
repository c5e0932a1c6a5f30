//! Reads the project's own source: files, tokens without comments and strings, and every path in it
//! with `crate`, `self`, `super` and braces resolved. Enough Rust for the house rules, no more.
#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::fs;
use std::path::{Path, PathBuf};

/// A word or a punctuation mark, and the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A path such as `["crate", "limits", "Seat"]`; a glob ends in `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedPath {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// Whether it stands in an inline `#[cfg(test)] mod`.
    pub(crate) in_test: bool,
}

/// The folder of this package. Asked when the test runs: the one of the compilation may be another
/// checkout's, if two share a target folder.
pub(crate) fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// All `.rs` files below `dir`, sorted, as paths relative to it.
pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        for entry in entries {
            let path = entry.expect("an entry of a readable folder").path();
            let name = path.file_name().expect("a listed file has a name").to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    walk(&path, found);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, &mut found);
    found.sort();
    found.into_iter().map(|path| path.strip_prefix(dir).expect("found below it").to_owned()).collect()
}

/// The module path of a file below `src`: `pool/state.rs` is `["pool", "state"]`.
pub(crate) fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// The source with comments, strings and character literals blanked, line by line as before.
pub(crate) fn without_text(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_text(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
            continue;
        }
        out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn end_of_text(chars: &[char], at: usize) -> usize {
    let get = |index: usize| chars.get(index).copied();
    let inside_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if get(at + 1) == Some('/') => {
            (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len())
        }
        '/' if get(at + 1) == Some('*') => {
            let (mut depth, mut i) = (1, at + 2);
            while i < chars.len() && depth > 0 {
                match (chars[i], get(i + 1)) {
                    ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
                    ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
            }
            i
        }
        '"' => end_of_quoted(chars, at + 1, '"'),
        'r' | 'b' | 'c' if !inside_word => {
            let word = (at..chars.len()).take_while(|&i| chars[i].is_ascii_lowercase()).count();
            let hashes = (at + word..chars.len()).take_while(|&i| chars[i] == '#').count();
            let raw = chars[at..at + word].contains(&'r') && word <= 2;
            if raw && get(at + word + hashes) == Some('"') {
                let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                let from = at + word + hashes + 1;
                (from..chars.len())
                    .find(|&i| chars[i..].starts_with(&close))
                    .map_or(chars.len(), |i| i + close.len())
            } else {
                at
            }
        }
        // A character literal, not a lifetime.
        '\'' if get(at + 1) == Some('\\') || get(at + 2) == Some('\'') => end_of_quoted(chars, at + 1, '\''),
        _ => at,
    }
}

fn end_of_quoted(chars: &[char], from: usize, quote: char) -> usize {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::`, and single marks, without comments and literals.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (index, line) in without_text(source).lines().enumerate() {
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let length = match chars[at] {
                c if is_word(c) => chars[at..].iter().take_while(|&&c| is_word(c)).count(),
                ':' if chars.get(at + 1) == Some(&':') => 2,
                c if c.is_whitespace() => {
                    at += 1;
                    continue;
                }
                _ => 1,
            };
            let text = chars[at..at + length].iter().collect();
            found.push(Token { line: index + 1, text });
            at += length;
        }
    }
    found
}

/// Every path of at least two segments, resolved from the module it stands in. Inner modules and
/// braces are followed, so `use super::{a, b::*}` gives two absolute paths.
pub(crate) fn paths(source: &str, module: &[String]) -> Vec<UsedPath> {
    let tokens = tokens(source);
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    // Inline modules around this point: (brace depth inside it, name, whether it is a test's).
    let mut inner: Vec<(usize, String, bool)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        let here: Vec<String> =
            module.iter().cloned().chain(inner.iter().map(|(_, name, _)| name.clone())).collect();
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                depth += 1;
                inner.push((depth, text(at + 1).to_owned(), is_test_module(&tokens, at)));
                at += 3;
            }
            "{" => (depth, at) = (depth + 1, at + 1),
            "}" => {
                inner.retain(|&(own, _, _)| own < depth);
                depth = depth.saturating_sub(1);
                at += 1;
            }
            first if text(at + 1) == "::" && starts_word(first) => {
                let in_test = inner.iter().any(|&(_, _, test)| test);
                at = read_tree(&tokens, at, None, &here, &mut |line, segments| {
                    found.push(UsedPath { line, segments, in_test });
                });
            }
            _ => at += 1,
        }
    }
    found
}

fn starts_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_word)
}

/// Whether `#[cfg(test)]`, possibly with a visibility after it, stands before the `mod` at `at`.
fn is_test_module(tokens: &[Token], at: usize) -> bool {
    let before: Vec<&str> =
        tokens[at.saturating_sub(12)..at].iter().map(|token| token.text.as_str()).collect();
    before.windows(7).rev().any(|seven| seven == ["#", "[", "cfg", "(", "test", ")", "]"])
        && !before.iter().rev().take_while(|&&text| text != "]").any(|&text| text == ";" || text == "}")
}

/// Reads one path or use tree that starts at `at`, below `base` if it is a branch of another; tells
/// every leaf and returns the position behind it.
fn read_tree(
    tokens: &[Token],
    mut at: usize,
    base: Option<&[String]>,
    here: &[String],
    tell: &mut impl FnMut(usize, Vec<String>),
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut segments: Vec<String> = base.map(<[String]>::to_vec).unwrap_or_default();
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match text(at) {
            "crate" | "pool_core" if segments.is_empty() => segments.push("crate".to_owned()),
            "self" if segments.is_empty() => {
                segments.push("crate".to_owned());
                segments.extend_from_slice(here);
            }
            "super" => {
                if segments.is_empty() {
                    segments.push("crate".to_owned());
                    segments.extend_from_slice(here);
                }
                segments.pop();
            }
            "self" => {}
            "{" => {
                at += 1;
                while at < tokens.len() && text(at) != "}" {
                    if text(at) == "," {
                        at += 1;
                    } else {
                        let next = read_tree(tokens, at, Some(&segments), here, tell);
                        // A macro's `$name` is no path; step over it.
                        at = next.max(at + 1);
                        // An alias: `a as b`.
                        if text(at) == "as" {
                            at += 2;
                        }
                    }
                }
                return at + 1;
            }
            "*" => {
                segments.push("*".to_owned());
                tell(line, segments);
                return at + 1;
            }
            word if starts_word(word) => segments.push(word.to_owned()),
            _ => {
                // Generic arguments (`::<`), a macro's `$`: the path so far is the path.
                tell(line, segments);
                return at;
            }
        }
        at += 1;
        if text(at) == "::" {
            at += 1;
        } else {
            tell(line, segments);
            return at;
        }
    }
}
