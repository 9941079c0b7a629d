//! Durations and sizes as people write them: `250ms`, `1m30s`, `64MiB`.

use std::fmt;
use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    #[error("`{0}` needs a unit: {1}")]
    NoUnit(String, &'static str),
    #[error("`{0}` is not a unit: {1}")]
    Unit(String, &'static str),
    #[error("`{0}` does not start with a number")]
    NoNumber(String),
    #[error("`{0}` is too large")]
    TooLarge(String),
}

const TIME_UNITS: &str = "ms, s, m, h or d";
const SIZE_UNITS: &str = "B, KiB, MiB, GiB, KB, MB or GB";

/// Reads `250ms`, `1.5s`, `1m30s`, `2h`, `0`. A bare number other than 0 has no unit and is refused.
pub fn parse_duration(text: &str) -> Result<Duration, BadQuantity> {
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    loop {
        let (number, unit, after) = split(rest, text, TIME_UNITS)?;
        let seconds = match unit {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            other => return Err(BadQuantity::Unit(other.to_owned(), TIME_UNITS)),
        };
        let part = Duration::try_from_secs_f64(number * seconds).ok();
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| total.as_secs() < 100 * 365 * 86400)
            .ok_or_else(|| BadQuantity::TooLarge(text.to_owned()))?;
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// Prints a duration the way [`parse_duration`] reads it, largest units first.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0".to_owned();
    }
    let mut out = String::new();
    let mut left = millis;
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        let count = left / size;
        left %= size;
        if count > 0 {
            out.push_str(&format!("{count}{unit}"));
        }
    }
    out
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Reads `64MiB`, `64M` (as Compose reads it: binary), `10kb`, `512`. Without a unit it is bytes.
    pub fn parse(text: &str) -> Result<Self, BadQuantity> {
        let text = text.trim();
        if let Ok(bytes) = text.parse() {
            return Ok(Self(bytes));
        }
        let (number, unit, rest) = split(text, text, SIZE_UNITS)?;
        let scale: f64 = match unit.to_ascii_lowercase().as_str() {
            "b" => 1.0,
            "k" | "ki" | "kib" => 1024.0,
            "m" | "mi" | "mib" => 1024.0 * 1024.0,
            "g" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
            "kb" => 1e3,
            "mb" => 1e6,
            "gb" => 1e9,
            _ => return Err(BadQuantity::Unit(unit.to_owned(), SIZE_UNITS)),
        };
        if !rest.is_empty() {
            return Err(BadQuantity::Unit(format!("{unit}{rest}"), SIZE_UNITS));
        }
        let bytes = number * scale;
        if bytes >= 9e18 {
            return Err(BadQuantity::TooLarge(text.to_owned()));
        }
        // In range by the check above and never negative, as `split` reads no sign.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let bytes = self.0 as f64;
        for (unit, scale) in [("GiB", 1024f64.powi(3)), ("MiB", 1024f64.powi(2)), ("KiB", 1024.0)] {
            if bytes >= scale {
                let shown = format!("{:.1}", bytes / scale);
                return f.pad(&format!("{}{unit}", shown.trim_end_matches(".0")));
            }
        }
        f.pad(&format!("{}B", self.0))
    }
}

/// Splits `1.5s rest` into (1.5, "s", " rest").
fn split<'a>(text: &'a str, whole: &str, units: &'static str) -> Result<(f64, &'a str, &'a str), BadQuantity> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, after) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| BadQuantity::NoNumber(whole.to_owned()))?;
    let after = after.trim_start();
    let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
    let (unit, rest) = after.split_at(letters);
    if unit.is_empty() {
        return Err(BadQuantity::NoUnit(whole.to_owned(), units));
    }
    Ok((number, unit, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let cases = [
            ("250ms", 250),
            ("1.5s", 1500),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("0", 0),
            ("1m 5s", 65_000),
            ("1d", 86_400_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_bad_durations() {
        for bad in ["10", "", "s", "5 parsecs", "1s-", "-1s", "9999999999d", "1..5s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["250ms", "1s500ms", "1m30s", "2h", "0"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn reads_and_prints_sizes() {
        let cases =
            [("64MiB", 64 << 20, "64MiB"), ("1.5k", 1536, "1.5KiB"), ("512", 512, "512B"), ("1kb", 1000, "1000B")];
        for (text, bytes, shown) in cases {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), shown);
        }
        for bad in ["", "x", "5 lions", "1MiB2", "99999999999999999999GiB"] {
            assert!(Size::parse(bad).is_err(), "{bad}");
        }
    }
}
