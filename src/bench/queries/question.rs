//! The three questions, each in SQL over rows, over bars, and as a window over REST.
//!
//! - Q1: the maximum and the mean of a few series, minute by minute: what a chart of a few instruments shows. Few rows of
//!   each chunk are wanted, so it is about finding them.
//! - Q2: the least, greatest and mean value of every series, hour by hour: what a report over everything needs. All rows of
//!   the range are wanted, so it is about reading and grouping them.
//! - Q3: the last value of each series with the open, high and low of its hour and the mean of the last three closes, the
//!   twenty that are farthest above it first: what a screen of movers shows. It asks for order within each series, and for
//!   the best of all in the end.

use serde_json::{Value, json};

use crate::{bench::lines::MEASUREMENT, hypertable::time_literal};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Q1,
    Q2,
    Q3,
}

/// Of what it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Rows, by an analyst's SQL upon the measurement's view.
    Sql,
    /// Rows, by chunkwise's windows over REST.
    Window,
    /// Bars, by SQL upon their views.
    Rollup,
    /// Rows of a plain table, by the same SQL.
    Plain,
}

/// From the first to before the last, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from_us: i64,
    pub(super) to_us: i64,
}

impl Question {
    pub(super) const ALL: [Self; 3] = [Self::Q1, Self::Q2, Self::Q3];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q3 => "q3",
        }
    }

    /// The statement over rows, or over bars where that is the path. `few` are the symbols that Q1 is about.
    pub(super) fn sql(self, path: Path, range: Range, few: &[String]) -> String {
        let bounds = range.condition();
        let rows = if path == Path::Plain { super::PLAIN } else { "ticks" };
        let symbols: Vec<String> = few.iter().map(|symbol| format!("'{}'", symbol.replace('\'', "''"))).collect();
        let symbols = symbols.join(", ");
        match (self, path) {
            (Self::Q1, Path::Rollup) => format!(
                "SELECT symbol, time AS minute, bid_max, bid_mean FROM ticks_bars_1m
                 WHERE symbol IN ({symbols}) AND {bounds} ORDER BY symbol, minute"
            ),
            (Self::Q1, _) => format!(
                "SELECT symbol, time_bucket('1 minute', time) AS minute, max(bid), avg(bid) FROM {rows}
                 WHERE symbol IN ({symbols}) AND {bounds} GROUP BY symbol, minute ORDER BY symbol, minute"
            ),
            (Self::Q2, Path::Rollup) => format!(
                "SELECT symbol, time AS hour, bid_min, bid_max, bid_mean FROM ticks_bars_1h
                 WHERE {bounds} ORDER BY symbol, hour"
            ),
            (Self::Q2, _) => format!(
                "SELECT symbol, time_bucket('1 hour', time) AS hour, min(bid), max(bid), avg(bid) FROM {rows}
                 WHERE {bounds} GROUP BY symbol, hour ORDER BY symbol, hour"
            ),
            (Self::Q3, path) => {
                let bars = if path == Path::Rollup {
                    format!("SELECT symbol, time AS hour, open, high, low, close FROM ticks_bars_1h WHERE {bounds}")
                } else {
                    format!(
                        "SELECT symbol, time_bucket('1 hour', time) AS hour, first(price, time) AS open,
                                max(price) AS high, min(price) AS low, last(price, time) AS close
                         FROM {rows} WHERE {bounds} GROUP BY symbol, hour"
                    )
                };
                format!(
                    "WITH bars AS ({bars}), rolled AS (
                         SELECT *, avg(close) OVER (PARTITION BY symbol ORDER BY hour ROWS 2 PRECEDING) AS rolling,
                                row_number() OVER (PARTITION BY symbol ORDER BY hour DESC) AS age FROM bars)
                     SELECT symbol, hour, open, high, low, close, rolling FROM rolled WHERE age = 1
                     ORDER BY close / rolling DESC, symbol LIMIT 20"
                )
            }
        }
    }

    /// The window that holds what is asked for: the order of Q3 is the asker's, over a few numbers a series.
    pub(super) fn window(self, range: Range, few: &[String]) -> Value {
        let (field, bucket, aggregate, also): (_, _, _, &[&str]) = match self {
            Self::Q1 => ("bid", "1m", "max", &["mean"]),
            Self::Q2 => ("bid", "1h", "min", &["max", "mean"]),
            Self::Q3 => ("price", "1h", "first", &["max", "min", "last"]),
        };
        let mut window = json!({
            "measurement": MEASUREMENT, "field": field, "bucket": bucket, "aggregate": aggregate, "also": also,
            "from": range.from_us / 1_000, "to": range.to_us / 1_000,
        });
        if self == Self::Q1 {
            window["series"] = json!({"symbol": few});
        }
        window
    }
}

impl Path {
    pub(super) const ALL: [Self; 4] = [Self::Sql, Self::Window, Self::Rollup, Self::Plain];

    /// SQL over rows.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::Sql | Self::Plain)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Window => "window",
            Self::Rollup => "rollup",
            Self::Plain => "plain",
        }
    }
}

impl Range {
    /// Constant bounds on both sides, so that chunks outside are not opened.
    pub(super) fn condition(self) -> String {
        format!("time >= {} AND time < {}", time_literal(self.from_us), time_literal(self.to_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_differ_in_what_they_read_alone() {
        let range = Range { from_us: 0, to_us: 60_000_000 };
        let few = ["A'B".to_owned()];
        for question in Question::ALL {
            let of = |path| question.sql(path, range, &few);
            assert_eq!(of(Path::Sql).replace("FROM ticks", "FROM bench_plain"), of(Path::Plain));
            assert!(of(Path::Rollup).contains("ticks_bars_") && !of(Path::Sql).contains("ticks_bars_"));
            assert!(of(Path::Rollup).contains("time < '1970-01-01 00:01:00.000000+00'::timestamptz"));
        }
        assert!(Question::Q1.sql(Path::Sql, range, &few).contains("('A''B')"));
        assert_eq!(Question::Q1.window(range, &few)["series"]["symbol"][0], "A'B");
        assert_eq!(Question::Q3.window(range, &few)["also"].as_array().map(Vec::len), Some(3));
    }
}
