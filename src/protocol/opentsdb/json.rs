//! The body of `POST /api/put`.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::{
    super::{keys::Keys, limits::Limits, line::Line},
    PointError, PointFault,
    point::{add_tag, set_metric, set_time, set_time_text, set_value, set_value_text, shown},
};

/// A body that is no JSON, or JSON of another shape than data points.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MalformedPut(#[from] serde_json::Error);

/// The data points of a body.
#[derive(Debug, Default)]
pub struct Points<'a> {
    /// The good ones, numbered from 1 among all.
    pub lines: Vec<Line<'a>>,
    /// The others.
    pub errors: Vec<PointError>,
}

/// Reads one data point or an array of them, under the default [`Limits`]. Text is borrowed wherever it has no escapes;
/// numbers may be texts; keys that OpenTSDB does not have are passed over.
///
/// # Errors
/// The body is malformed as a whole, which includes numbers beyond a 64-bit float. What is wrong with one point is in
/// [`Points::errors`].
pub fn read_points(body: &[u8]) -> Result<Points<'_>, MalformedPut> {
    let mut points = Points::default();
    let mut number = 0_u32;
    for_each_point(body, |point: Point<'_>| {
        number = number.saturating_add(1);
        let mut line = Line::empty(number);
        match point.read(&mut line, &Limits::default()) {
            Ok(()) => points.lines.push(line),
            Err(fault) => points.errors.push(PointError { line: number, column: 1, fault, bytes: 0..0 }),
        }
    })?;
    Ok(points)
}

/// The points with these numbers, which must ascend, as they were sent; for answers that show what was refused. Empty for
/// a body that [`read_points`] refuses.
#[must_use]
pub fn show_points(body: &[u8], numbers: &[u32]) -> Vec<Value> {
    let mut shown = Vec::with_capacity(numbers.len());
    let mut number = 0_u32;
    let read = for_each_point(body, |point: Value| {
        number = number.saturating_add(1);
        if numbers.get(shown.len()) == Some(&number) {
            shown.push(point);
        }
    });
    if read.is_ok() { shown } else { Vec::new() }
}

/// Reads point by point: an array need not be in memory twice.
fn for_each_point<'a, T: Deserialize<'a>>(body: &'a [u8], each: impl FnMut(T)) -> Result<(), MalformedPut> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    deserializer.deserialize_any(OneOrMany { each, point: PhantomData })?;
    Ok(deserializer.end()?)
}

struct OneOrMany<F, T> {
    each: F,
    point: PhantomData<T>,
}

impl<'a, F: FnMut(T), T: Deserialize<'a>> Visitor<'a> for OneOrMany<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a data point or an array of data points")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, map: A) -> Result<(), A::Error> {
        (self.each)(T::deserialize(MapAccessDeserializer::new(map))?);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(point) = sequence.next_element()? {
            (self.each)(point);
        }
        Ok(())
    }
}

/// A data point as it was sent. What has the wrong kind is a fault of this point alone.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Point<'a> {
    #[serde(borrow)]
    metric: Scalar<'a>,
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    value: Scalar<'a>,
    #[serde(borrow)]
    tags: TagSet<'a>,
}

impl<'a> Point<'a> {
    fn read(self, line: &mut Line<'a>, limits: &Limits) -> Result<(), PointFault> {
        match self.metric {
            Scalar::Text(metric) => set_metric(line, metric, limits)?,
            _ => return Err(PointFault::MissingMetric),
        }
        match self.timestamp {
            Scalar::Missing => return Err(PointFault::MissingTimestamp),
            Scalar::Unsigned(time) => set_time(line, time)?,
            Scalar::Text(text) => set_time_text(line, &text)?,
            // Only seconds have a fraction; written out again it has the digits that were sent.
            Scalar::Float(time) => set_time_text(line, &time.to_string())?,
            Scalar::Negative(time) => return Err(PointFault::InvalidTimestamp(time.to_string())),
            Scalar::Other => return Err(PointFault::InvalidTimestamp("?".to_owned())),
        }
        match self.value {
            Scalar::Missing => return Err(PointFault::MissingValue),
            Scalar::Text(text) => set_value_text(line, &text)?,
            // Rounded once, as any decimal is.
            Scalar::Unsigned(value) => set_value(line, value as f64, || value.to_string())?,
            Scalar::Negative(value) => set_value(line, value as f64, || value.to_string())?,
            Scalar::Float(value) => set_value(line, value, || value.to_string())?,
            Scalar::Other => return Err(PointFault::InvalidValue("?".to_owned())),
        }
        if let Some(key) = self.tags.without_text {
            return Err(PointFault::InvalidTag(shown(&key)));
        }
        if self.tags.pairs.is_empty() {
            return Err(PointFault::MissingTags);
        }
        let mut keys = Keys::default();
        self.tags.pairs.into_iter().try_for_each(|pair| add_tag(line, &mut keys, pair, limits))
    }
}

/// Text, a number, or something else.
#[derive(Default)]
enum Scalar<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a number")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Unsigned(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Negative(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Float(number))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Missing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Scalar<'de>, A::Error> {
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// A point's tags; numbers among the values are taken as their text.
#[derive(Default)]
struct TagSet<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The first tag whose value is neither.
    without_text: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for TagSet<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = TagSet<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tags")
            }

            fn visit_unit<E: Error>(self) -> Result<TagSet<'de>, E> {
                Ok(TagSet::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TagSet<'de>, A::Error> {
                let mut tags = TagSet::default();
                while let Some((key, value)) = map.next_entry::<Scalar<'de>, Scalar<'de>>()? {
                    let Scalar::Text(key) = key else { continue };
                    let value = match value {
                        Scalar::Text(text) => text,
                        Scalar::Unsigned(number) => Cow::Owned(number.to_string()),
                        Scalar::Negative(number) => Cow::Owned(number.to_string()),
                        Scalar::Float(number) => Cow::Owned(number.to_string()),
                        Scalar::Missing | Scalar::Other => {
                            tags.without_text.get_or_insert_with(|| key.into_owned());
                            continue;
                        }
                    };
                    tags.pairs.push((key, value));
                }
                Ok(tags)
            }
        }

        deserializer.deserialize_any(Pairs)
    }
}
