//! Other clients disagree about what is a tag, what is a field, and of which type.

use std::{thread, time::Instant};

use super::{Harness, rounds};
use crate::support::{App, TestDatabase};

/// A request of which only the first and the last line fit; the others disagree with it or with the feed's measurement.
const MIXED: [&str; 9] = [
    "mixed,tag=x f=1,i=1i",
    "mixed,tag=x f=\"text\"",
    "mixed,tag=x f=true",
    "mixed,f=x i=1i",
    "mixed,tag=x tag=1",
    "trades,symbol=S price=\"dear\"",
    "trades,price=1 size=1",
    "trades,symbol=S symbol=1,price=1",
    "mixed,tag=y f=2,i=2i",
];
const BAD: std::ops::RangeInclusive<u64> = 2..=8;
const REQUESTS_A_ROUND: u32 = 100;

/// A request whose bytes no other has.
fn mixed(number: u32) -> String {
    MIXED.map(|line| format!("{line} {}\n", 1_700_000_000_000_000_000 + u64::from(number) * 1_000)).concat()
}

fn send_mixed(app: &App, number: u32) {
    let answer = app.post("/write", mixed(number).as_bytes());
    let refused: Vec<u64> = match answer.status {
        400 => answer.json()["lines"].as_array().unwrap().iter().map(|line| line["line"].as_u64().unwrap()).collect(),
        status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
    };
    assert_eq!(refused, BAD.collect::<Vec<_>>(), "{:#}", answer.json());
    assert_eq!(answer.json()["written"], 2);
}

/// Two services make the same column at once, as a number and as text: one of them wins, and the other's line is refused.
fn make_column_twice(services: [&App; 2], number: u32) {
    let answers = thread::scope(|scope| {
        let values = ["1i", "\"text\""];
        let sent = [0, 1].map(|at| {
            let line = format!("mixed,tag=x c{number}={} 1600000000{number:09}", values[at]);
            scope.spawn(move || services[at].post("/write", line.as_bytes()))
        });
        sent.map(|sent| sent.join().unwrap())
    });
    let mut statuses = answers.each_ref().map(|answer| answer.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400], "{:?}", answers.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()));
}

#[tokio::test]
async fn f13_lines_that_disagree_are_refused_alone_and_the_load_goes_on() {
    let database = TestDatabase::new().await;
    let mut harness = Harness::on(&database, "F13").under_load();
    let other = App::start(&["up", "--database-url", &database.url()]);
    let rounds = rounds(2);
    for round in 0..rounds {
        let services = [harness.service(), &other];
        // The measurement's own types are decided by its first line.
        send_mixed(&other, round * REQUESTS_A_ROUND);
        thread::scope(|scope| {
            for client in 0..4 {
                let numbers = round * REQUESTS_A_ROUND + 1..(round + 1) * REQUESTS_A_ROUND;
                let mine = numbers.filter(move |number| number % 4 == client);
                scope.spawn(move || mine.for_each(|number| send_mixed(services[(client % 2) as usize], number)));
            }
            // A measurement takes 500 fields.
            let columns = round * 10..(round + 1).min(40) * 10;
            scope.spawn(move || columns.for_each(|number| make_column_twice(services, number)));
        });
        harness.recover(Instant::now());
    }
    let written = i64::from(rounds * REQUESTS_A_ROUND * 2 + rounds.min(40) * 10);
    assert_eq!(database.scalar::<i64>("SELECT count(*) FROM mixed").await, written);
    let proven = harness.prove();
    assert_eq!(proven.doubts, 0, "the load was disturbed: {proven:?}");
}
