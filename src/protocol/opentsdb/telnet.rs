//! The lines that OpenTSDB's port takes from telnet clients.

use std::{borrow::Cow, iter::FusedIterator};

use memchr::memchr;

use super::{
    super::{keys::Keys, limits::Limits, line::Line},
    PointError, PointFault,
    point::{add_tag, set_metric, set_time_text, set_value_text, shown},
};

/// What a line asks for.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are `Put`, and a box each would be an allocation a line")]
pub enum Command<'a> {
    /// `put`: a data point.
    Put(Line<'a>),
    /// `version`.
    Version,
    /// `stats`.
    Stats,
    /// `help`.
    Help,
    /// `exit` or `quit`.
    Exit,
    /// Another word.
    Other(&'a str),
}

/// The commands of a body: one item for each line that is not blank, in the order of the body.
///
/// ```
/// use chunkwise::protocol::opentsdb::{Command, Commands};
///
/// let body = b"put sys.cpu.user 1700000000 42.5 host=web01 cpu=0\nversion\nput sys.cpu.user now 1 host=a\n";
/// let mut commands = Commands::new(body);
///
/// let Some(Ok(Command::Put(line))) = commands.next() else { panic!() };
/// assert_eq!((&*line.measurement, line.time_us), ("sys.cpu.user", Some(1_700_000_000_000_000)));
/// assert_eq!(commands.next(), Some(Ok(Command::Version)));
/// let error = commands.next().unwrap().unwrap_err();
/// assert_eq!((error.line, error.column), (3, 18));
/// ```
#[derive(Debug, Clone)]
pub struct Commands<'a> {
    body: &'a [u8],
    limits: Limits,
    at: usize,
    number: u32,
}

impl<'a> Commands<'a> {
    /// The commands of `body`, under the default [`Limits`].
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, limits: Limits::default(), at: 0, number: 0 }
    }

    fn read(&self, start: usize, end: usize) -> Result<Option<Command<'a>>, (usize, PointFault)> {
        let bytes = &self.body[start..end];
        if bytes.len() > self.limits.line_bytes {
            return Err((self.limits.line_bytes, PointFault::LineTooLong(self.limits.line_bytes)));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| (error.valid_up_to(), PointFault::InvalidUtf8))?;
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        Ok(Some(match words.next() {
            None => return Ok(None),
            Some("put") => {
                let mut line = Line::empty(self.number);
                line.bytes = start..end;
                put(text, words, &mut line, &self.limits)?;
                Command::Put(line)
            }
            Some("version") => Command::Version,
            Some("stats") => Command::Stats,
            Some("help") => Command::Help,
            Some("exit" | "quit") => Command::Exit,
            Some(other) => Command::Other(other),
        }))
    }
}

/// Reads the words behind `put` into an empty line.
fn put<'a>(
    text: &'a str,
    mut words: impl Iterator<Item = &'a str> + Clone,
    line: &mut Line<'a>,
    limits: &Limits,
) -> Result<(), (usize, PointFault)> {
    let all = words.clone();
    let mut next = || {
        let missing = || (text.len(), PointFault::NotEnoughArguments(all.clone().count()));
        words.next().ok_or_else(missing)
    };
    let (metric, time, value, first_tag) = (next()?, next()?, next()?, next()?);
    // Words are parts of the text, so the distance between their first bytes is where they stand in it.
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    let at = |word| move |fault| (place(word), fault);
    set_metric(line, Cow::Borrowed(metric), limits).map_err(at(metric))?;
    set_time_text(line, time).map_err(at(time))?;
    set_value_text(line, value).map_err(at(value))?;
    let mut keys = Keys::default();
    for word in std::iter::once(first_tag).chain(words) {
        let tag = word.split_once('=').filter(|(_, value)| !value.contains('='));
        let tag = tag.ok_or_else(|| PointFault::InvalidTag(shown(word)));
        tag.and_then(|(key, value)| add_tag(line, &mut keys, (Cow::Borrowed(key), Cow::Borrowed(value)), limits))
            .map_err(at(word))?;
    }
    Ok(())
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, PointError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.body.len() {
            let start = self.at;
            let line_break = memchr(b'\n', &self.body[start..]).map_or(self.body.len(), |length| start + length);
            let end = if self.body[start..line_break].ends_with(b"\r") { line_break - 1 } else { line_break };
            self.at = line_break + 1;
            self.number = self.number.saturating_add(1);
            match self.read(start, end) {
                Ok(None) => {}
                Ok(Some(command)) => return Some(Ok(command)),
                Err((at, fault)) => {
                    let column = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
                    return Some(Err(PointError { line: self.number, column, fault, bytes: start..end }));
                }
            }
        }
        None
    }
}

impl FusedIterator for Commands<'_> {}
