//! Numbers in few characters, for tables and drawings.

/// Requests a second in at most five characters.
pub fn rate(per_second: f64) -> String {
    match per_second {
        it if it < 9.95 => format!("{it:.1}"),
        it if it < 9999.5 => format!("{it:.0}"),
        it => format!("{:.0}k", it / 1000.0),
    }
}

/// A duration in at most six characters.
pub fn millis(ms: f64) -> String {
    match ms {
        it if it < 9.95 => format!("{it:.1}ms"),
        it if it < 999.5 => format!("{it:.0}ms"),
        it if it < 99_950.0 => format!("{:.1}s", it / 1000.0),
        it => format!("{:.0}s", it / 1000.0),
    }
}

/// A share; what is not nothing is not shown as nothing.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        it if it > 0.0 && it < 1.0 => "<1%".to_owned(),
        it => format!("{it:.0}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short() {
        assert_eq!([0.04, 9.94, 9.96, 1234.4, 56_000.0].map(rate), ["0.0", "9.9", "10", "1234", "56k"]);
        assert_eq!([0.31, 12.4, 1234.0, 120_000.0].map(millis), ["0.3ms", "12ms", "1.2s", "120s"]);
        assert_eq!([0.0, 0.001, 0.5, 1.0].map(percent), ["0%", "<1%", "50%", "100%"]);
    }
}
