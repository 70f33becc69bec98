//! A journal reads back to what was written, whatever a crash cut off.

use super::*;
use crate::feed::{FieldSet, Kind, Shape};

fn header() -> Header {
    let recipe = Recipe {
        kind: Kind::Assets,
        seed: 1,
        measurement: "m".to_owned(),
        sources: 2,
        series: 4,
        fields: FieldSet::All,
        shape: Shape::LineProtocol,
        start_us: 0,
        step_us: 1,
        lines_per_request: 10,
    };
    Header::new(Protocol::LineProtocolHttp, "public".to_owned(), recipe)
}

#[tokio::test]
async fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = Journal::create(&path, &header()).unwrap();
    let ids: Vec<_> = (0..4).map(|batch| header().request_id(1, batch * 10)).collect();
    for (batch, id) in (0..).zip(&ids) {
        journal.sending(*id, 1, &(batch * 10..batch * 10 + 10)).await.unwrap();
    }
    journal.answered(ids[0], Note::Acknowledged(Strength::Spooled)).unwrap();
    journal.answered(ids[1], Note::InDoubt).unwrap();
    journal.answered(ids[1], Note::Acknowledged(Strength::Committed)).unwrap();
    journal.answered(ids[2], Note::Refused { written: 7 }).unwrap();
    journal.flush().await.unwrap();
    let recorded = Recorded::read(&path).unwrap();
    assert_eq!((&recorded.header, recorded.torn, recorded.sources[0].len()), (&header(), false, 0));
    let outcomes: Vec<_> = recorded.sources[1].iter().map(|batch| batch.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Acknowledged(Strength::Spooled),
            Outcome::Acknowledged(Strength::Committed),
            Outcome::Refused { written: 7 },
            Outcome::InDoubt
        ]
    );
    assert!(matches!(Journal::create(&path, &header()), Err(JournalError::Exists(_))));
}

#[test]
fn a_torn_tail_is_passed_over_and_damage_before_it_is_not() {
    let id = header().request_id(0, 0);
    let whole = format!("{}\nS {id} 0 0 10\nA {id} committed\n", serde_json::to_string(&header()).unwrap());
    let first = whole.find('\n').unwrap() + 1;
    for cut in first..whole.len() {
        let recorded = Recorded::parse(&whole.as_bytes()[..cut]).unwrap();
        assert_eq!(recorded.torn, !whole[..cut].ends_with('\n'), "{cut}");
        let acknowledged = recorded.sources[0].iter().filter(|batch| batch.outcome != Outcome::InDoubt).count();
        assert_eq!(acknowledged, 0, "{cut}: the last line is cut");
    }
    assert_eq!(Recorded::parse(whole.as_bytes()).unwrap().sources[0].len(), 1);
    for (from, to) in [("S ", "T "), ("0 10", "10 0"), (" 0 0 ", " 9 0 "), ("committed", "perhaps"), ("A ", "U ")] {
        let damaged = whole.replace(from, to);
        assert!(matches!(Recorded::parse(damaged.as_bytes()), Err(JournalError::Line { .. })), "{to}");
    }
    let other = header().request_id(0, 5);
    let overlapping = format!("{whole}S {other} 0 5 15\n");
    assert!(Recorded::parse(overlapping.as_bytes()).is_err());
    assert!(Recorded::parse(&whole.as_bytes()[..first - 1]).is_err(), "without a header it is nothing");
}

#[test]
fn ids_differ_by_feed_source_and_position() {
    let mut other = header();
    other.recipe.seed = 2;
    let ids =
        [header().request_id(0, 0), header().request_id(1, 0), header().request_id(0, 10), other.request_id(0, 0)];
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id));
    }
    assert_eq!(ids[0], header().request_id(0, 0));
}
