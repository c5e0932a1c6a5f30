//! Scalars by the rules of proto-JSON. Errors are sentences for the person who wrote the file.

use std::time::Duration;

use super::tree::{Style, shorten};

/// Longest duration of proto-JSON, in seconds: about ten thousand years.
const MAX_SECONDS: u64 = 315_576_000_000;

const TRUE: [&str; 4] = ["true", "yes", "on", "y"];
const FALSE: [&str; 4] = ["false", "no", "off", "n"];

pub(crate) fn boolean(text: &str, style: Style) -> Result<bool, String> {
    let lower = text.to_ascii_lowercase();
    match style {
        Style::Plain if TRUE.contains(&lower.as_str()) => Ok(true),
        Style::Plain if FALSE.contains(&lower.as_str()) => Ok(false),
        Style::Plain => Err(format!("expected true or false, found '{}'", shorten(text))),
        Style::Quoted => {
            Err(format!("expected true or false without quotes, found the string '{}'", shorten(text)))
        }
    }
}

/// What YAML reads as something else is no string unless it is quoted: `on` is a boolean, `1` a number.
pub(crate) fn string(text: &str, style: Style) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.as_str();
    let kind = match style {
        Style::Quoted => None,
        Style::Plain if TRUE.contains(&lower) || FALSE.contains(&lower) => Some("true or false"),
        Style::Plain if integer(text).is_some_and(|number| i32::try_from(number).is_ok()) => Some("a number"),
        Style::Plain => None,
    };
    match kind {
        None => Ok(text.to_owned()),
        Some(kind) => Err(format!("expected a string, but {text} is {kind}; write \"{text}\"")),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok().map(|number| sign * number)
}

/// A whole number: as it is, in quotes, or as a float without a fraction (`1e3`).
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float beyond i128 saturates, and is out of range anyway"
)]
pub(crate) fn whole(text: &str, _: Style, min: u64, max: u64) -> Result<u64, String> {
    let number = integer(text).or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.is_finite() && number.fract() == 0.0).then_some(number as i128)
    });
    let Some(number) = number else {
        return Err(format!("expected a whole number, found '{}'", shorten(text)));
    };
    match u64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("{number} is out of range: {min} to {max}")),
    }
}

pub(crate) fn float(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("expected a number, found '{}'", shorten(text)))
}

/// Decimal seconds with an `s`, at most nine digits after the point.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || match likely(text) {
        Some(likely) => format!("'{}' is not a duration; write '{likely}'", shorten(text)),
        None => format!("'{}' is not a duration; write decimal seconds such as '0.25s'", shorten(text)),
    };
    let number = text.strip_suffix('s').ok_or_else(bad)?;
    if number.strip_prefix('-').is_some_and(|rest| decimal(rest).is_some()) {
        return Err(format!("'{}' is negative", shorten(text)));
    }
    if number.split_once('.').is_some_and(|(_, fraction)| fraction.len() > 9) && number.parse::<f64>().is_ok()
    {
        return Err(format!("'{}' has more than nine digits after the point", shorten(text)));
    }
    let duration = decimal(number).ok_or_else(bad)?;
    if duration.as_secs() > MAX_SECONDS {
        return Err(format!("'{}' is out of range: at most {MAX_SECONDS}s", shorten(text)));
    }
    Ok(duration)
}

fn decimal(number: &str) -> Option<Duration> {
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    // Too many digits for u64 are out of range as well, which the caller says.
    Some(Duration::new(seconds.parse().unwrap_or(u64::MAX), nanos))
}

/// The duration that was meant by `250ms`, `5m`, `1h` or a bare number.
fn likely(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "" | "sec" | "secs" | "second" | "seconds" => number,
        "ms" => number / 1e3,
        "us" => number / 1e6,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86400.0,
        _ => return None,
    };
    let written = format!("{seconds}s");
    (decimal(written.strip_suffix('s')?).is_some_and(|length| length.as_secs() <= MAX_SECONDS))
        .then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_decimal_seconds() {
        for (text, nanos) in
            [("0s", 0), ("0.25s", 250_000_000), ("1.000000001s", 1_000_000_001), ("60s", 60_000_000_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for (text, message) in [
            ("250ms", "'250ms' is not a duration; write '0.25s'"),
            ("5", "'5' is not a duration; write '5s'"),
            ("1h", "'1h' is not a duration; write '3600s'"),
            ("soon", "'soon' is not a duration; write decimal seconds such as '0.25s'"),
            (".5s", "'.5s' is not a duration; write decimal seconds such as '0.25s'"),
            ("-1s", "'-1s' is negative"),
            ("0.0000000001s", "'0.0000000001s' has more than nine digits after the point"),
            ("315576000001s", "'315576000001s' is out of range: at most 315576000000s"),
            ("99999999999999999999999s", "'99999999999999999999999s' is out of range: at most 315576000000s"),
        ] {
            assert_eq!(duration(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        for (text, number) in [("0", 0), ("10", 10), ("0x10", 16), ("1e2", 100), ("5.0", 5)] {
            assert_eq!(whole(text, Style::Plain, 0, 100), Ok(number), "{text}");
        }
        for text in
            ["-1", "101", "5.5", "ten", "", "1e40", "NaN", "99999999999999999999999999999999999999999999"]
        {
            assert!(whole(text, Style::Plain, 0, 100).is_err(), "{text}");
        }
    }

    #[test]
    fn a_string_that_looks_like_something_else_needs_quotes() {
        assert_eq!(string("v1", Style::Plain), Ok("v1".to_owned()));
        assert_eq!(string("on", Style::Quoted), Ok("on".to_owned()));
        assert_eq!(string("1.5", Style::Plain), Ok("1.5".to_owned()));
        assert_eq!(
            string("on", Style::Plain),
            Err("expected a string, but on is true or false; write \"on\"".to_owned())
        );
        assert_eq!(
            string("12", Style::Plain),
            Err("expected a string, but 12 is a number; write \"12\"".to_owned())
        );
        assert_eq!(boolean("Yes", Style::Plain), Ok(true));
        assert!(boolean("true", Style::Quoted).is_err());
        assert!(boolean("1", Style::Plain).is_err());
    }
}
