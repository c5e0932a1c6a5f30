//! Points in time as text, in UTC: `strftime` with Envoy's additions, compiled once.

use std::time::{SystemTime, UNIX_EPOCH};

/// A compiled time format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeFormat(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Year,
    ShortYear,
    Month,
    MonthName,
    ShortMonthName,
    Day,
    SpacedDay,
    Hour,
    Hour12,
    AmPm,
    Minute,
    Second,
    DayOfYear,
    Weekday,
    WeekdayName,
    ShortWeekdayName,
    Offset,
    Zone,
    Epoch,
    /// Digits of the fraction of a second.
    Fraction(u8),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl TimeFormat {
    /// `2018-12-18T22:48:12.123Z`, Envoy's default.
    pub(crate) fn iso8601() -> Self {
        use Piece::{Day, Fraction, Hour, Minute, Month, Second, Text, Year};
        let text = |text: &str| Text(text.to_owned());
        Self(vec![
            Year,
            text("-"),
            Month,
            text("-"),
            Day,
            text("T"),
            Hour,
            text(":"),
            Minute,
            text(":"),
            Second,
            text("."),
            Fraction(3),
            text("Z"),
        ])
    }

    /// Compiles a format; an error is the offset of the specifier that is not known.
    pub(crate) fn parse(format: &str) -> Result<Self, usize> {
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            text(&mut pieces, &rest[..at]);
            let specifier = &rest[at + 1..];
            let offset = format.len() - rest.len() + at;
            let used = specify(&mut pieces, specifier).ok_or(offset)?;
            rest = &specifier[used..];
        }
        text(&mut pieces, rest);
        Ok(Self(pieces))
    }

    /// Appends a time. Before 1970 is 1970.
    pub(crate) fn write(&self, time: SystemTime, out: &mut Vec<u8>) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let civil = Civil::of(since.as_secs());
        for piece in &self.0 {
            civil.write(piece, since.subsec_nanos(), out);
        }
    }
}

/// Appends to the last text.
fn text(pieces: &mut Vec<Piece>, more: &str) {
    if more.is_empty() {
        return;
    }
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        last.push_str(more);
    } else {
        pieces.push(Piece::Text(more.to_owned()));
    }
}

/// Compiles what follows a `%`; says how much of it was used.
fn specify(pieces: &mut Vec<Piece>, specifier: &str) -> Option<usize> {
    let mut bytes = specifier.bytes();
    let first = bytes.next()?;
    let piece = match first {
        b'Y' => Piece::Year,
        b'y' => Piece::ShortYear,
        b'm' => Piece::Month,
        b'B' => Piece::MonthName,
        b'b' | b'h' => Piece::ShortMonthName,
        b'd' => Piece::Day,
        b'e' => Piece::SpacedDay,
        b'H' => Piece::Hour,
        b'I' => Piece::Hour12,
        b'p' => Piece::AmPm,
        b'M' => Piece::Minute,
        b'S' => Piece::Second,
        b'j' => Piece::DayOfYear,
        b'w' => Piece::Weekday,
        b'A' => Piece::WeekdayName,
        b'a' => Piece::ShortWeekdayName,
        b'z' => Piece::Offset,
        b'Z' => Piece::Zone,
        b's' => Piece::Epoch,
        b'f' => Piece::Fraction(9),
        b'1'..=b'9' => {
            (bytes.next()? == b'f').then(|| pieces.push(Piece::Fraction(first - b'0')))?;
            return Some(2);
        }
        b'E' => return specify_extended(pieces, specifier),
        b'F' => return expand(pieces, "%Y-%m-%d"),
        b'T' => return expand(pieces, "%H:%M:%S"),
        b'R' => return expand(pieces, "%H:%M"),
        b'D' => return expand(pieces, "%m/%d/%y"),
        b'c' => return expand(pieces, "%a %b %e %H:%M:%S %Y"),
        b'%' | b'n' | b't' => {
            text(
                pieces,
                match first {
                    b'n' => "\n",
                    b't' => "\t",
                    _ => "%",
                },
            );
            return Some(1);
        }
        _ => return None,
    };
    pieces.push(piece);
    Some(1)
}

/// `%E3S`: seconds with digits of the fraction; `%E3f`: the digits alone; `%Ez`: `+00:00`.
fn specify_extended(pieces: &mut Vec<Piece>, specifier: &str) -> Option<usize> {
    match specifier.as_bytes() {
        [_, b'z', ..] => {
            text(pieces, "+00:00");
            Some(2)
        }
        [_, digits @ b'0'..=b'9', b'S', ..] => {
            pieces.push(Piece::Second);
            if *digits > b'0' {
                text(pieces, ".");
                pieces.push(Piece::Fraction(digits - b'0'));
            }
            Some(3)
        }
        [_, digits @ b'1'..=b'9', b'f', ..] => {
            pieces.push(Piece::Fraction(digits - b'0'));
            Some(3)
        }
        _ => None,
    }
}

fn expand(pieces: &mut Vec<Piece>, format: &str) -> Option<usize> {
    for piece in TimeFormat::parse(format).ok()?.0 {
        match piece {
            Piece::Text(more) => text(pieces, &more),
            piece => pieces.push(piece),
        }
    }
    Some(1)
}

/// A second of the Gregorian calendar.
struct Civil {
    epoch: u64,
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    second_of_day: u64,
    /// 0 is Sunday.
    weekday: u64,
    /// 1 to 366.
    day_of_year: u64,
}

impl Civil {
    fn of(epoch: u64) -> Self {
        let days = epoch / 86_400;
        // Years begin in March here, so that the leap day is the last one; 719 468 days lie between
        // 0000-03-01 and 1970-01-01, 146 097 in 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let day = from_march - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = if month <= 2 { from_march - 305 } else { from_march + 60 + u64::from(is_leap) };
        Self { epoch, year, month, day, second_of_day: epoch % 86_400, weekday: (days + 4) % 7, day_of_year }
    }

    fn write(&self, piece: &Piece, nanos: u32, out: &mut Vec<u8>) {
        let hour = self.second_of_day / 3600;
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Year => digits(self.year, 4, out),
            Piece::ShortYear => digits(self.year % 100, 2, out),
            Piece::Month => digits(self.month, 2, out),
            Piece::MonthName => out.extend_from_slice(name(&MONTHS, self.month - 1)),
            Piece::ShortMonthName => out.extend_from_slice(&name(&MONTHS, self.month - 1)[..3]),
            Piece::Day => digits(self.day, 2, out),
            Piece::SpacedDay => {
                if self.day < 10 {
                    out.push(b' ');
                }
                digits(self.day, 1, out);
            }
            Piece::Hour => digits(hour, 2, out),
            Piece::Hour12 => digits((hour + 11) % 12 + 1, 2, out),
            Piece::AmPm => out.extend_from_slice(if hour < 12 { b"AM" } else { b"PM" }),
            Piece::Minute => digits(self.second_of_day / 60 % 60, 2, out),
            Piece::Second => digits(self.second_of_day % 60, 2, out),
            Piece::DayOfYear => digits(self.day_of_year, 3, out),
            Piece::Weekday => digits(self.weekday, 1, out),
            Piece::WeekdayName => out.extend_from_slice(name(&WEEKDAYS, self.weekday)),
            Piece::ShortWeekdayName => out.extend_from_slice(&name(&WEEKDAYS, self.weekday)[..3]),
            Piece::Offset => out.extend_from_slice(b"+0000"),
            Piece::Zone => out.extend_from_slice(b"UTC"),
            Piece::Epoch => digits(self.epoch, 1, out),
            Piece::Fraction(count) => {
                let shown = u64::from(nanos) / 10u64.pow(9 - u32::from(*count));
                digits(shown, usize::from(*count), out);
            }
        }
    }
}

fn name(names: &'static [&'static str], index: u64) -> &'static [u8] {
    names[index as usize % names.len()].as_bytes()
}

/// Appends a number, with leading zeros up to `width`.
pub(super) fn digits(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while number > 0 {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&buffer[at.min(buffer.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn show(format: &str, nanos: u64) -> String {
        let mut out = Vec::new();
        let format = TimeFormat::parse(format).expect("known specifiers");
        format.write(UNIX_EPOCH + Duration::from_nanos(nanos), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_specifier_of_one_moment() {
        // Tuesday, 18 December 2018, 22:48:02.012345678 UTC.
        let at = 1_545_173_282_012_345_678;
        for (format, shown) in [
            ("%Y/%m/%dT%H:%M:%S%z %s", "2018/12/18T22:48:02+0000 1545173282"),
            ("%s.%3f|%6f|%9f|%f|%1f", "1545173282.012|012345|012345678|012345678|0"),
            ("%E3S %E0S %E6S %E2f %Ez", "02.012 02 02.012345 01 +00:00"),
            ("%F %T %R %D", "2018-12-18 22:48:02 22:48 12/18/18"),
            ("%a %A %b %h %B %w", "Tue Tuesday Dec Dec December 2"),
            ("%I %p %j %y %e %Z", "10 PM 352 18 18 UTC"),
            ("%c%%%n%t", "Tue Dec 18 22:48:02 2018%\n\t"),
            ("plain", "plain"),
        ] {
            assert_eq!(show(format, at), shown, "{format}");
        }
        let mut out = Vec::new();
        TimeFormat::iso8601().write(UNIX_EPOCH + Duration::from_nanos(at), &mut out);
        assert_eq!(out, b"2018-12-18T22:48:02.012Z");
    }

    #[test]
    fn calendar_corners() {
        for (days, shown) in [
            (0, "1970-01-01 001 4"),
            (58, "1970-02-28 059 6"),
            (59, "1970-03-01 060 0"),
            (789, "1972-02-29 060 2"),
            (790, "1972-03-01 061 3"),
            (1_095, "1972-12-31 366 0"),
            (11_016, "2000-02-29 060 2"),
            (47_540, "2100-02-28 059 0"),
            (47_541, "2100-03-01 060 1"),
        ] {
            assert_eq!(show("%F %j %w", days * 86_400_000_000_000), shown);
        }
        assert_eq!(show("%I%p %e", 0), "12AM  1");
    }

    #[test]
    fn unknown_specifiers_are_located() {
        for (format, offset) in [("%Q", 0), ("ab%Y%?", 4), ("%", 0), ("%3x", 0), ("%EZ", 0), ("%H:%", 3)] {
            assert_eq!(TimeFormat::parse(format), Err(offset), "{format}");
        }
    }
}
