//! Numbers and text for a script to read: the little of JSON that is needed.

use std::fmt::Write;

/// Appends text in quotes. Angle brackets are escaped as well: it will stand within an HTML page.
pub(super) fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a string cannot fail.
                _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a list of numbers.
pub(super) fn numbers(out: &mut String, numbers: impl IntoIterator<Item = i64>) {
    list(out, numbers, |out, number| _ = write!(out, "{number}"));
}

/// Appends a list of texts.
pub(super) fn texts<'a>(out: &mut String, texts: impl IntoIterator<Item = &'a str>) {
    list(out, texts, text);
}

/// Appends a list of whatever `put` writes.
pub(super) fn list<T>(
    out: &mut String,
    things: impl IntoIterator<Item = T>,
    mut put: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, thing) in things.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put(out, thing);
    }
    out.push(']');
}

/// Appends text for the body of a page.
pub(super) fn html(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_script_it_stands_in() {
        let mut out = String::new();
        text(&mut out, "a\"b\\</script>\n\u{2028}ä");
        assert_eq!(out, "\"a\\\"b\\\\\\u003c/script\\u003e\\u000a\\u2028ä\"");
        let mut out = String::new();
        html(&mut out, "<a href=\"x\">&");
        assert_eq!(out, "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn lists_are_lists() {
        let mut out = String::new();
        numbers(&mut out, [1, -2]);
        texts(&mut out, ["a", "b"]);
        numbers(&mut out, []);
        assert_eq!(out, "[1,-2][\"a\",\"b\"][]");
    }
}
