//! MQTT's topics: which filters there are, and which of a topic's levels are tags.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// Which levels of a topic are tags: `sensors/{place}/{device}`.
///
/// A level is a tag's name in braces, a text that must stand there, `+` for anything, or at the end `#` for whatever
/// follows.
///
/// ```
/// let tags: chunkwise::protocol::TopicTags = "sensors/{place}/+/{device}".parse().unwrap();
/// assert_eq!(tags.tags("sensors/roof/x/t1"), Some(vec![("place", "roof"), ("device", "t1")]));
/// assert_eq!(tags.tags("sensors/roof"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTags {
    levels: Vec<Level>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Tag(String),
    Exactly(String),
    Any,
    /// Only the last one.
    Rest,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no tags: write the topic's levels with a tag's name in braces, such as sensors/{{place}}/{{device}}, + for a level that is no tag, and # at the end for all that follow"
)]
pub struct TopicTagsError(String);

impl TopicTags {
    /// The tags of a topic, by their names; `None` if it has other levels.
    #[must_use]
    pub fn tags<'t>(&'t self, topic: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
        let mut tags = Vec::with_capacity(self.levels.len());
        let mut given = topic.split('/');
        for level in &self.levels {
            match level {
                Level::Rest => return Some(tags),
                Level::Tag(name) => tags.push((name.as_str(), given.next()?)),
                Level::Any => drop(given.next()?),
                Level::Exactly(text) => {
                    given.next().filter(|given| given == text)?;
                }
            }
        }
        given.next().is_none().then_some(tags)
    }
}

impl FromStr for TopicTags {
    type Err = TopicTagsError;

    fn from_str(text: &str) -> Result<Self, TopicTagsError> {
        let wrong = || TopicTagsError(text.chars().take(64).collect());
        let levels: Vec<Level> = text.split('/').map(|text| level(text).ok_or_else(wrong)).collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = Vec::new();
        for (index, level) in levels.iter().enumerate() {
            match level {
                Level::Tag(name) if names.contains(&name.as_str()) => return Err(wrong()),
                Level::Tag(name) => names.push(name),
                Level::Rest if index + 1 < levels.len() => return Err(wrong()),
                Level::Rest | Level::Any | Level::Exactly(_) => {}
            }
        }
        if names.is_empty() {
            return Err(wrong());
        }
        Ok(Self { levels })
    }
}

fn level(text: &str) -> Option<Level> {
    let is_plain = |text: &str| !text.contains(['{', '}', '+', '#', '\0']);
    match text {
        "+" => Some(Level::Any),
        "#" => Some(Level::Rest),
        text => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => (!name.is_empty() && is_plain(name)).then(|| Level::Tag(name.to_owned())),
            None => is_plain(text).then(|| Level::Exactly(text.to_owned())),
        },
    }
}

impl<'de> Deserialize<'de> for TopicTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Whether a broker takes this as a topic filter: `+` and `#` stand for whole levels, `#` only for the last ones.
#[must_use]
pub fn is_topic_filter(text: &str) -> bool {
    const MAX_BYTES: usize = 65_535;
    let levels: Vec<&str> = text.split('/').collect();
    let fits = |(index, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => index + 1 == levels.len(),
        level => !level.contains(['+', '#', '\0']),
    };
    (1..=MAX_BYTES).contains(&text.len()) && levels.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_are_named_become_tags_and_others_must_fit() {
        let tags: TopicTags = "{site}/raw/+/{device}/#".parse().unwrap();
        let wanted = Some(vec![("site", "a"), ("device", "d")]);
        for topic in ["a/raw/x/d", "a/raw//d/more/of/it"] {
            assert_eq!(tags.tags(topic), wanted, "{topic}");
        }
        for topic in ["a/raw/x", "a/cooked/x/d", "", "a"] {
            assert_eq!(tags.tags(topic), None, "{topic}");
        }
        let exact: TopicTags = "a/{b}".parse().unwrap();
        assert_eq!(exact.tags("a/1/2"), None);
        assert_eq!(exact.tags("a/"), Some(vec![("b", "")]), "an empty tag, which the row refuses");
    }

    #[test]
    fn a_template_without_sense_is_refused() {
        for text in ["", "sensors", "{a}/{a}", "{}", "#/{a}", "x{a}", "{a}/b+", "{{a}}", "{a"] {
            assert!(text.parse::<TopicTags>().is_err(), "{text}");
        }
    }

    #[test]
    fn filters_are_known_from_their_wildcards() {
        for filter in ["#", "a/#", "+", "+/a/+", "$share/group/a/#", "/a", "a//b"] {
            assert!(is_topic_filter(filter), "{filter}");
        }
        for text in ["", "a#", "#/a", "a+/b", "a\0"] {
            assert!(!is_topic_filter(text), "{text}");
        }
    }
}
