//! One line of `metrics.jsonl`: a step and the values of its metrics, flat.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metric::{self, Metrics, Unit};

/// What was measured up to a step since the record before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Steps done, from 1.
    pub step: u64,
    /// Values by metric. A value that is not finite is `null` in the file.
    pub values: Metrics,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("step", &self.step)?;
        for (metric, value) in self.values.iter() {
            let whole = metric.unit == Unit::Count && (0.0..9e15).contains(&value) && value.fract() == 0.0;
            if whole {
                map.serialize_entry(metric.key, &(value as u64))?;
            } else {
                map.serialize_entry(metric.key, &value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Reads the keys of the metric table; other keys, of later versions or of a task that is not here, are ignored.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a record with a step")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let (mut step, mut values) = (None, Metrics::new());
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "step" {
                step = Some(map.next_value()?);
            } else if let Some(metric) = metric::find(&key) {
                values.set(metric, map.next_value::<Option<f64>>()?.unwrap_or(f64::NAN));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let step = step.ok_or_else(|| serde::de::Error::missing_field("step"))?;
        Ok(Record { step, values })
    }
}
