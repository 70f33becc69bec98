//! OpenTSDB's two ways to write: the first byte says which.

#![no_main]

use chunkwise::protocol::{
    FieldValue, Limits, Line, MAX_TIME_US, MIN_TIME_US,
    opentsdb::{Command, Commands, read_points, show_points},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((b'{' | b'[', _)) => points(data),
        _ => commands(data),
    }
});

fn commands(body: &[u8]) {
    let (mut last_number, mut last_end) = (0, 0);
    for command in Commands::new(body) {
        match command {
            Ok(Command::Put(line)) => {
                check(&line);
                assert!(line.number > last_number && line.bytes.start >= last_end && line.bytes.end <= body.len());
                (last_number, last_end) = (line.number, line.bytes.end);
            }
            Ok(_) => {}
            Err(error) => {
                assert!(error.line > last_number && error.column > 0 && error.bytes.end <= body.len());
                assert!(!error.fault.to_string().contains('\0'));
                (last_number, last_end) = (error.line, error.bytes.end);
            }
        }
    }
}

fn points(body: &[u8]) {
    let Ok(points) = read_points(body) else { return };
    points.lines.iter().for_each(check);
    let mut numbers: Vec<u32> = points.lines.iter().map(|line| line.number).collect();
    let refused: Vec<u32> = points.errors.iter().map(|error| error.line).collect();
    numbers.extend(&refused);
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u32), "every point is answered for once");
    // A point with numbers beyond a float is malformed where it is shown.
    assert!(show_points(body, &refused).len() <= refused.len());
}

fn check(line: &Line<'_>) {
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c));
    assert!(is_word(&line.measurement) && line.tags.iter().all(|(name, value)| is_word(name) && is_word(value)));
    assert!((1..=Limits::default().tags).contains(&line.tags.len()));
    assert!(matches!(&line.fields[..], [(name, FieldValue::Float(value))] if name == "value" && value.is_finite()));
    assert!(line.time_us.is_some_and(|us| (MIN_TIME_US..=MAX_TIME_US).contains(&us)));
}
