//! Rows as text.
//!
//! ```text
//! line protocol   trades,source=0,symbol=BDFG price=101.25,size=300 1577836800000000000
//! put             put trades 1577836800000 101.25 source=0 symbol=BDFG
//! OpenTSDB JSON   [{"metric":"trades","tags":{"source":"0","symbol":"BDFG"},"timestamp":1577836800000,"value":101.25}]
//! frame           {"id":"..","rows":[{"measurement":"trades","tags":{..},"time":1577836800000000000,"fields":{"price":1}}]}
//! ```
//!
//! What does not change from row to row of a series is written once, when the feed is made: its **head**.

use std::ops::Range;

use super::{Quantity, Row, Rows, Shape, Value};
use crate::feed::decimal::{push_float, push_hundredths, push_integer, push_line_end, push_nanoseconds};

/// The part of a line that its series decides.
pub(super) fn head(rows: &Rows, index: u32) -> Box<[u8]> {
    let measurement = &rows.recipe.measurement;
    let tags = rows.tags_of(index);
    let joined = |sign: &str, between: &str| {
        tags.iter().map(|(key, value)| format!("{key}{sign}{value}")).collect::<Vec<_>>().join(between)
    };
    let text = match rows.recipe.shape {
        Shape::LineProtocol => format!("{measurement},{} ", joined("=", ",")),
        Shape::OpenTsdbPut => format!(" {}\n", joined("=", " ")),
        Shape::OpenTsdbJson => {
            format!(r#"{{"metric":"{measurement}","tags":{{"{}"}},"timestamp":"#, joined(r#"":""#, r#"",""#))
        }
        Shape::JsonFrame => {
            format!(r#"{{"measurement":"{measurement}","tags":{{"{}"}},"time":"#, joined(r#"":""#, r#"",""#))
        }
    };
    text.into_bytes().into()
}

impl Rows {
    /// Appends what a range of a source's positions sends, as one request's body; `id` is a JSON frame's. Returns the
    /// number of rows; with 0 there is nothing to send.
    pub fn write(&self, source: u32, positions: Range<u64>, id: &str, out: &mut Vec<u8>) -> u64 {
        let mut count = 0;
        match self.recipe.shape {
            Shape::LineProtocol | Shape::OpenTsdbPut => {}
            Shape::OpenTsdbJson => out.push(b'['),
            Shape::JsonFrame => out.extend_from_slice(format!(r#"{{"id":"{id}","rows":["#).as_bytes()),
        }
        self.sent(source, positions, |seq| {
            let row = self.row(source, seq);
            let time_us = self.recipe.time_us(seq);
            let head = &self.heads[(source + row.series * self.recipe.sources) as usize];
            match self.recipe.shape {
                Shape::LineProtocol => self.write_line(head, &row, time_us, out),
                Shape::OpenTsdbPut => self.write_put(head, &row, time_us, out),
                Shape::OpenTsdbJson => self.write_data_point(head, &row, time_us, out),
                Shape::JsonFrame => self.write_json_row(head, &row, time_us, out),
            }
            count += 1;
        });
        if matches!(self.recipe.shape, Shape::OpenTsdbJson | Shape::JsonFrame) {
            if count > 0 {
                out.pop();
            }
            out.extend_from_slice(if self.recipe.shape == Shape::JsonFrame { b"]}" } else { b"]" });
        }
        count
    }

    fn write_line(&self, head: &[u8], row: &Row, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        for (name, quantity) in &self.fields {
            let Some(value) = row.value(*quantity) else { continue };
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            match value {
                Value::Float(_) => write_number(row, *quantity, out),
                Value::Integer(number) => {
                    push_integer(out, number);
                    out.push(b'i');
                }
                Value::Truth(truth) => out.push(if truth { b't' } else { b'f' }),
                Value::Text(text) => {
                    out.push(b'"');
                    for &byte in text.as_bytes() {
                        if matches!(byte, b'"' | b'\\') {
                            out.push(b'\\');
                        }
                        out.push(byte);
                    }
                    out.push(b'"');
                }
            }
            out.push(b',');
        }
        out.pop();
        push_line_end(out, time_us);
    }

    fn write_put(&self, head: &[u8], row: &Row, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"put ");
        out.extend_from_slice(self.recipe.measurement.as_bytes());
        out.push(b' ');
        push_integer(out, time_us / 1_000);
        for (_, quantity) in &self.fields {
            out.push(b' ');
            write_number(row, *quantity, out);
        }
        out.extend_from_slice(head);
    }

    fn write_data_point(&self, head: &[u8], row: &Row, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        push_integer(out, time_us / 1_000);
        for (_, quantity) in &self.fields {
            out.extend_from_slice(br#","value":"#);
            write_number(row, *quantity, out);
        }
        out.extend_from_slice(b"},");
    }

    fn write_json_row(&self, head: &[u8], row: &Row, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(head);
        push_nanoseconds(out, time_us);
        out.extend_from_slice(br#","fields":{"#);
        for (name, quantity) in &self.fields {
            let Some(value) = row.value(*quantity) else { continue };
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            match value {
                Value::Float(_) => write_number(row, *quantity, out),
                Value::Integer(number) => push_integer(out, number),
                Value::Truth(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
                Value::Text(text) => out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes()),
            }
            out.push(b',');
        }
        out.pop();
        out.extend_from_slice(b"}},");
    }
}

/// Writes a float; hundredths, which are most, without looking for the shortest text.
fn write_number(row: &Row, quantity: Quantity, out: &mut Vec<u8>) {
    match quantity {
        Quantity::First => push_hundredths(out, row.first_hundredths),
        Quantity::Second => push_hundredths(out, row.second_hundredths),
        _ => {
            if let Some(Value::Float(number)) = row.value(quantity) {
                push_float(out, number);
            }
        }
    }
}
