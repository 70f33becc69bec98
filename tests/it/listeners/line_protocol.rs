//! Line protocol over TCP.

use std::{fs, io::Write};

use super::{connect, line_protocol, read_all, send, wait_for_rows};
use crate::support::{App, TestDatabase};

const NS: i64 = 1_700_000_000_000_000_000;

#[tokio::test]
async fn a_stream_split_at_every_byte_writes_the_same_lines() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let address = line_protocol(&app);
    let stream = format!("lp,s=a v=1,text=\"two\nlines\" {NS}\r\n\nlp,s=b v=2,text=\"x\" {NS}\n");
    for at in 0..=stream.len() {
        let mut connection = connect(&address);
        connection.write_all(&stream.as_bytes()[..at]).unwrap();
        connection.write_all(&stream.as_bytes()[at..]).unwrap();
    }
    let sent = i64::try_from(stream.len() + 1).unwrap();
    wait_for_rows(&database, "lp", 2 * sent).await;
    let whole = "SELECT count(*) FROM lp WHERE (s, v, text) IN (('a', 1, E'two\\nlines'), ('b', 2, 'x'))";
    assert_eq!(database.scalar::<i64>(whole).await, 2 * sent);
}

#[tokio::test]
async fn bad_lines_are_passed_over_and_the_connection_goes_on() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = connect(&line_protocol(&app));
    let lines =
        format!("lp,s=a v=1 {NS}\ntestUser1\nlp v= {NS}\nlp,s=a v=\"text\" {NS}\n\0\nlp,s=a v=2 {NS}\nlp,s=a v=3 17");
    connection.write_all(lines.as_bytes()).unwrap();
    wait_for_rows(&database, "lp", 2).await;
    connection.write_all(&NS.to_string().as_bytes()[2..]).unwrap();
    connection.write_all(b"\nlp,s=a v=4 17").unwrap();
    drop(connection);
    wait_for_rows(&database, "lp", 3).await;
    // `testUser1` and the NUL, the field without a value, and the text for a number.
    for (reason, lines) in [("missing_fields", 1), ("nul_byte", 1), ("missing_field_value", 1), ("type", 1)] {
        assert_eq!(refused(&app, reason), lines, "{reason}");
    }
}

/// How many lines were refused for a reason, as the metrics say.
fn refused(app: &App, reason: &str) -> u64 {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let labels = format!("protocol=\"line_protocol_tcp\",reason=\"{reason}\"}} ");
    let line = metrics.lines().find(|line| line.contains(&labels));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_value_that_is_no_number_is_refused_counted_and_logged_with_its_line() {
    let database = TestDatabase::new().await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let app = App::start_logging(&["up", "--database-url", &database.url()], log.path());
    let mut connection = connect(&line_protocol(&app));
    // Of a body of its own, so that the number is the connection's.
    write!(connection, "lp,s=a v=1 {NS}\nlp,s=a text=\"two\nlines\" {NS}\n").unwrap();
    wait_for_rows(&database, "lp", 2).await;
    write!(connection, "lp,s=a v=2 {NS}\nlp,s=a v=NaN {NS}\nlp,s=a v=3 {NS}\n").unwrap();
    wait_for_rows(&database, "lp", 4).await;
    assert_eq!(refused(&app, "not_finite"), 1);
    // QuestDB's binary versions can say it in 8 bytes; they end the connection, which is counted too.
    let mut binary = b"lp,s=a v==\x10".to_vec();
    binary.extend(f64::NAN.to_le_bytes());
    binary.extend(format!(" {NS}\n").bytes());
    connection.write_all(&binary).unwrap();
    assert_eq!(read_all(&mut connection), "");
    assert_eq!(refused(&app, "binary_protocol"), 1);
    assert_eq!(app.terminate(), 0);
    let log = fs::read_to_string(log.path()).unwrap();
    assert!(log.contains("line 5, column 10: the number is not finite"), "{log}");
    assert!(log.contains("set protocol_version=1"), "{log}");
}

#[tokio::test]
async fn sixty_four_megabytes_without_a_line_break_take_no_memory() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = connect(&line_protocol(&app));
    writeln!(connection, "lp,s=a v=1 {NS}").unwrap();
    wait_for_rows(&database, "lp", 1).await;
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", app.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    let before = resident();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..64 {
        connection.write_all(&piece).unwrap();
    }
    writeln!(connection, "\nlp,s=a v=2 {NS}").unwrap();
    wait_for_rows(&database, "lp", 2).await;
    let grown = resident() - before;
    assert!(grown < 24 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn questdb_s_binary_protocol_is_closed_and_the_lines_before_it_are_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let mut connection = connect(&line_protocol(&app));
    let mut bytes = format!("lp,s=a v=1i {NS}\nlp,s=a v==\u{10}").into_bytes();
    bytes.extend(1.5_f64.to_le_bytes());
    bytes.extend(format!(" {NS}\n").bytes());
    connection.write_all(&bytes).unwrap();
    assert_eq!(read_all(&mut connection), "");
    wait_for_rows(&database, "lp", 1).await;
}

#[tokio::test]
async fn what_was_sent_before_sigterm_is_written() {
    let database = TestDatabase::new().await;
    let app = App::start(&["up", "--database-url", &database.url()]);
    let address = line_protocol(&app);
    send(&address, format!("lp,s=a v=0 {NS}\n").as_bytes());
    wait_for_rows(&database, "lp", 1).await;
    let mut connection = connect(&address);
    let lines: String = (1..=20_000).map(|i| format!("lp,s=a v={i} {}\n", NS + i * 1_000)).collect();
    connection.write_all(lines.as_bytes()).unwrap();
    assert_eq!(app.terminate(), 0);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM lp").await, 20_001);
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed_at_once() {
    let database = TestDatabase::new().await;
    let limit = [("CHUNKWISE_LINE_PROTOCOL__MAX_CONNECTIONS", "1")];
    let app = App::start_with(&["up", "--database-url", &database.url()], &limit);
    let address = line_protocol(&app);
    let mut first = connect(&address);
    writeln!(first, "lp,s=a v=1 {NS}").unwrap();
    wait_for_rows(&database, "lp", 1).await;
    assert_eq!(read_all(&mut connect(&address)), "");
    writeln!(first, "lp,s=a v=2 {NS}").unwrap();
    wait_for_rows(&database, "lp", 2).await;
}
