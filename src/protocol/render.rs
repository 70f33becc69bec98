//! A line -> its text, such that reading the text gives the line again.

use super::line::{FieldValue, Line};

/// What a backslash must stand before in a measurement's name.
const IN_MEASUREMENT: &[char] = &[',', ' ', '\\'];
/// The same in tags' names and values and in fields' names.
const IN_KEY: &[char] = &[',', ' ', '\\', '='];
/// The same in a field's text.
const IN_TEXT: &[char] = &['"', '\\'];

impl Line<'_> {
    /// The line in line protocol, without a line break, its time in microseconds.
    ///
    /// Read with [`Precision::Microseconds`](super::Precision::Microseconds) it gives the same measurement, tags, fields
    /// and time, if the line was read from line protocol. Lines of other protocols can hold what line protocol cannot
    /// say (a measurement that begins with `#`, a name that ends in a backslash or has a line break, or a tab without a
    /// backslash before it, a field's name with a bare quote before a text with a line break, a number that is not
    /// finite): that is written as it is, for people to read.
    ///
    /// ```
    /// use chunkwise::protocol::{Precision, parse};
    ///
    /// let body = br#"room\ 1,floor=2\,5 open=t,note="a \"b\"",t=21.50 1700000000000000000"#;
    /// let line = parse(body, Precision::Nanoseconds).next().unwrap().unwrap();
    /// assert_eq!(line.render(), r#"room\ 1,floor=2\,5 open=true,note="a \"b\"",t=21.5 1700000000000000"#);
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(64);
        if self.measurement.starts_with('\u{feff}') {
            // At the start of a body this is a byte order mark; behind a space it is the name's.
            text.push(' ');
        }
        push_name(&mut text, &self.measurement, IN_MEASUREMENT);
        for (name, value) in &self.tags {
            text.push(',');
            push_name(&mut text, name, IN_KEY);
            text.push('=');
            push_name(&mut text, value, IN_KEY);
        }
        for (index, (name, value)) in self.fields.iter().enumerate() {
            text.push(if index == 0 { ' ' } else { ',' });
            push_name(&mut text, name, IN_KEY);
            text.push('=');
            push_value(&mut text, value);
        }
        if let Some(us) = self.time_us {
            text += &format!(" {us}");
        }
        text
    }
}

fn push_value(text: &mut String, value: &FieldValue<'_>) {
    match value {
        // The shortest text that reads back to the same float, with an exponent where it is long.
        FieldValue::Float(value) => *text += &format!("{value:?}"),
        FieldValue::Integer(value) => *text += &format!("{value}i"),
        FieldValue::Unsigned(value) => *text += &format!("{value}u"),
        FieldValue::Boolean(value) => *text += &value.to_string(),
        FieldValue::Timestamp(us) => *text += &format!("{us}t"),
        FieldValue::Text(value) => {
            text.push('"');
            value.chars().for_each(|c| push_escaped(text, c, IN_TEXT));
            text.push('"');
        }
    }
}

fn push_name(text: &mut String, name: &str, escaped: &[char]) {
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.as_str().starts_with(['"', '\t']) {
            // Two would leave the next one bare: with a bare quote in a field's name no text goes on over a line break, and a
            // bare tab cannot be in a name at all.
            text.push(c);
        } else {
            push_escaped(text, c, escaped);
        }
    }
}

fn push_escaped(text: &mut String, c: char, escaped: &[char]) {
    if escaped.contains(&c) {
        text.push('\\');
    }
    text.push(c);
}
