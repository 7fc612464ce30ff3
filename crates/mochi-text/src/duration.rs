//! Times as text.

/// Seconds as `12s`, `3m 20s`, `2h 05m` or `3d 04h`; `?` for what is not a time.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m {:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h {:02}m", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn times_have_two_units_at_most() {
        let times: Vec<String> =
            [4.4, 59.6, 200.0, 7_500.0, 273_600.0, f64::NAN, -1.0].into_iter().map(duration).collect();
        assert_eq!(times, ["4s", "1m 00s", "3m 20s", "2h 05m", "3d 04h", "?", "?"]);
    }
}
