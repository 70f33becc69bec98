//! Where in a message something stands.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

use super::node::Node;

/// A JSON Pointer (RFC 6901), such as `data/0/p`. With a slash in front it begins at the message itself, without one at
/// the row; empty, it is the row itself. `~1` is a slash within a name, `~0` a tilde. `*` stands for every element of an
/// array, and only where many are asked for ([`each`](Self::each)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    origin: Origin,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Message,
    Row,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A member of an object or, in digits, an element of an array.
    Name(String),
    Every,
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path: write names and indexes with slashes between them, such as data/0/price; ~1 is a slash in a name, ~0 a tilde"
)]
pub struct PathError(String);

impl Path {
    /// Whether it has a `*`.
    #[must_use]
    pub fn is_many(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    /// What stands there; `None` where nothing does, and for a path with `*`.
    #[must_use]
    pub fn find<'n, 'a>(&self, message: &'n Node<'a>, row: &'n Node<'a>) -> Option<&'n Node<'a>> {
        let start = match self.origin {
            Origin::Message => message,
            Origin::Row => row,
        };
        self.steps.iter().try_fold(start, |node, step| match step {
            Step::Name(name) => child(node, name),
            Step::Every => None,
        })
    }

    /// Everything that stands there, in the message's order; an object or array that is missing has nothing.
    #[must_use]
    pub fn each<'n, 'a>(&self, message: &'n Node<'a>) -> Vec<&'n Node<'a>> {
        self.steps.iter().fold(vec![message], |nodes, step| match step {
            Step::Name(name) => nodes.into_iter().filter_map(|node| child(node, name)).collect(),
            Step::Every => nodes
                .into_iter()
                .flat_map(|node| match node {
                    Node::List(items) => items.as_slice(),
                    _ => &[],
                })
                .collect(),
        })
    }
}

fn child<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Node<'a>> {
    match node {
        Node::List(items) => items.get(name.parse::<usize>().ok()?),
        object => object.member(name),
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let (origin, rest) = match text.strip_prefix('/') {
            Some(rest) => (Origin::Message, rest),
            None => (Origin::Row, text),
        };
        let steps = if rest.is_empty() {
            Vec::new()
        } else {
            rest.split('/').map(step).collect::<Option<_>>().unwrap_or_default()
        };
        if steps.is_empty() && !rest.is_empty() {
            return Err(PathError(text.chars().take(64).collect()));
        }
        Ok(Self { origin, steps })
    }
}

fn step(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::Every);
    }
    let mut name = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        name.push(match c {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    (!name.is_empty()).then_some(Step::Name(name))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin == Origin::Message {
            f.write_str("/")?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match step {
                Step::Every => f.write_str("*")?,
                Step::Name(name) => f.write_str(&name.replace('~', "~0").replace('/', "~1"))?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
