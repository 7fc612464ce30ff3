//! Training time of a run: `none`, or a duration such as `20m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Shortest and longest time that a run can be given.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// How long a run may train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TimeBudget {
    /// As long as its epochs take.
    None,
    /// This long; its epochs are what was expected at the start.
    Limit(Duration),
}

/// A text that is no time budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time: expected {EXPECTED}")]
pub struct UnknownTime(pub String);

/// The accepted values.
pub(crate) const EXPECTED: &str = "\"none\" or a time from 10 seconds to 366 days, such as \"20m\" or \"1h 30m\"";

impl TimeBudget {
    /// A limit of so many seconds, rounded to whole ones and kept within the accepted range.
    pub fn of_seconds(seconds: f64) -> TimeBudget {
        let time = Duration::try_from_secs_f64(seconds.round()).unwrap_or(LONGEST);
        TimeBudget::Limit(time.clamp(SHORTEST, LONGEST))
    }

    /// The limit, if there is one.
    pub fn limit(self) -> Option<Duration> {
        match self {
            TimeBudget::None => None,
            TimeBudget::Limit(time) => Some(time),
        }
    }
}

impl fmt::Display for TimeBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeBudget::None => f.pad("none"),
            TimeBudget::Limit(time) => match SignedDuration::try_from(*time) {
                Ok(time) => write!(f, "{time:#}"),
                Err(_) => write!(f, "{}s", time.as_secs()),
            },
        }
    }
}

impl FromStr for TimeBudget {
    type Err = UnknownTime;

    fn from_str(text: &str) -> Result<Self, UnknownTime> {
        if text == "none" {
            return Ok(TimeBudget::None);
        }
        // jiff also reads ISO 8601 and clock times ("PT20M", "00:20:00"), which nobody would expect here.
        let friendly = !text.starts_with(['P', 'p', '+', '-']) && !text.contains(':');
        let time =
            text.parse::<SignedDuration>().ok().filter(|_| friendly).and_then(|time| Duration::try_from(time).ok());
        match time {
            Some(time) if (SHORTEST..=LONGEST).contains(&time) => Ok(TimeBudget::Limit(time)),
            _ => Err(UnknownTime(text.to_owned())),
        }
    }
}

impl From<TimeBudget> for String {
    fn from(time: TimeBudget) -> String {
        time.to_string()
    }
}

impl TryFrom<String> for TimeBudget {
    type Error = UnknownTime;

    fn try_from(text: String) -> Result<Self, UnknownTime> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds, written) in [
            ("20m", 1200, "20m"),
            ("90s", 90, "1m 30s"),
            ("1h30m", 5400, "1h 30m"),
            ("1.5h", 5400, "1h 30m"),
            ("10 seconds", 10, "10s"),
            ("48h", 172_800, "48h"),
        ] {
            let time: TimeBudget = text.parse().unwrap();
            assert_eq!(
                (time.limit(), time.to_string().as_str()),
                (Some(Duration::from_secs(seconds)), written),
                "{text}"
            );
            assert_eq!(written.parse::<TimeBudget>(), Ok(time));
        }
        assert_eq!("none".parse(), Ok(TimeBudget::None));
        for text in ["", "20", "20 m m", "-20m", "5s", "0m", "PT20M", "00:20:00", "9999999h", "forever", "1h ago"] {
            assert_eq!(text.parse::<TimeBudget>(), Err(UnknownTime(text.to_owned())));
        }
    }
}
