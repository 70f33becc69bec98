//! OpenTSDB's telnet lines.

use std::io::{BufRead, BufReader, Write};

use super::{connect, opentsdb, read_all, wait_for_rows};
use crate::support::{App, TestDatabase};

#[tokio::test]
async fn good_puts_are_written_in_silence_and_each_bad_one_is_told() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = connect(&opentsdb(&app));
    let lines = "put cpu 1700000000 42.5 host=a dc=x\r\nput cpu 1700000000123 43 host=b dc=x \n\
                 put cpu 1700000001.25 44 host=a dc=x\nput cpu 1700000000 1\nput cpu 1700000000 NaN host=a\n\
                 put cpu 1700000000 1e400 host=a\nput cpu 1700000000 x host=a\nput\0 cpu\ndropcaches\ndiediedie\n\
                 put cpu 17000000000000 1 host=a\nput cpu 1700000000 1 host=*\nversion\nexit\nput cpu 1700000009 1 host=a\n";
    connection.write_all(lines.as_bytes()).unwrap();
    let replies = read_all(&mut connection);
    let beginnings = [
        "put: illegal argument: not enough arguments (need least 4, got 3)",
        "put: illegal argument: value is NaN or Infinite: NaN",
        "put: illegal argument: value is NaN or Infinite: 1e400",
        "put: invalid value: \"x\"",
        "unknown command: put\\u{0}.  Try `help'.",
        "unknown command: dropcaches.",
        "unknown command: diediedie.",
        "put: illegal argument: Invalid timestamp \"17000000000000\"",
        "put: illegal argument: Invalid tag value (\"*\"): illegal character: '*'",
        "chunkwise ",
    ];
    let lines: Vec<&str> = replies.lines().collect();
    assert_eq!(lines.len(), beginnings.len(), "{replies}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line} begins with {beginning}");
    }
    wait_for_rows(&database, "cpu", 3).await;
    let times =
        "SELECT array_agg(extract(epoch FROM time)::text || ' ' || host || ' ' || value ORDER BY time) FROM cpu";
    let times: Vec<String> = database.scalar(times).await;
    assert_eq!(times, ["1700000000.000000 a 42.5", "1700000000.123000 b 43", "1700000001.250000 a 44"]);
}

#[tokio::test]
async fn a_flood_of_bad_lines_is_answered_with_little_and_the_good_ones_are_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = connect(&opentsdb(&app));
    // Nobody reads the replies meanwhile.
    let bad = "put m 1 2\n".repeat(100_000);
    connection.write_all(bad.as_bytes()).unwrap();
    connection.write_all(&[b'x'; 1 << 21]).unwrap();
    connection.write_all(b"\nput m 1700000000 1 a=b\nexit\n").unwrap();
    wait_for_rows(&database, "m", 1).await;
    assert!(read_all(&mut connection).len() < 200_000);
}

#[tokio::test]
async fn stats_and_help_answer_at_once() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = BufReader::new(connect(&opentsdb(&app)));
    let mut line = String::new();
    for (command, beginning) in [("help\n", "available commands: put"), ("stats\n", "chunkwise.ingest.lines ")] {
        line.clear();
        connection.get_mut().write_all(command.as_bytes()).unwrap();
        connection.read_line(&mut line).unwrap();
        assert!(line.starts_with(beginning), "{line}");
    }
}
