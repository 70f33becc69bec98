//! The order of requests, against all that may hold one up.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::spool::{Disk, Frame, Spool, SpoolOptions};

/// Places of so many frames.
fn places(count: usize) -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let options = SpoolOptions { reserve_bytes: 0, ..SpoolOptions::default() };
    let (spool, _) = Spool::open(Disk, folder.path(), options).unwrap();
    let frame = Frame {
        id: uuid::Uuid::nil(),
        body_hash: uuid::Uuid::nil(),
        keep_s: 0,
        spooled_us: 0,
        protocol: "load",
        namespace: "public",
        lines: b"",
    };
    (0..count).for_each(|_| spool.append(&frame).unwrap());
    std::iter::from_fn(|| spool.next().unwrap()).map(|frame| frame.place()).collect()
}

fn touched(names: &[Name]) -> Touched {
    SmallVec::from_slice(names)
}

#[test]
fn a_blocked_measurement_is_tried_with_one_request_and_then_the_others_follow() {
    let (mut backlog, now, places) = (Backlog::default(), Instant::now(), places(5));
    assert!(backlog.enter(places[0], touched(&[1]), false));
    backlog.block(places[0], Some(1), now);
    assert!(!backlog.enter(places[1], touched(&[1, 2]), false));
    assert!(!backlog.enter(places[2], touched(&[2]), false), "it comes after one that waits");
    assert!(backlog.enter(places[3], touched(&[3]), false));
    assert!(!backlog.enter(places[4], touched(&[1]), true));
    backlog.done(places[3]);
    assert_eq!(backlog.done_before(places[4].end()), places[0].start());

    assert!(backlog.due(10, now).is_empty());
    let later = now + FIRST_PAUSE;
    assert_eq!(backlog.due(10, later), [places[0]]);
    assert!(backlog.due(10, later).is_empty(), "one at a time");
    backlog.block(places[0], Some(1), later);
    assert!(backlog.due(10, later + FIRST_PAUSE).is_empty(), "the next pause is longer");
    assert_eq!(backlog.due(10, later + 2 * FIRST_PAUSE), [places[0]]);
    assert!(!backlog.done(places[0]));
    assert_eq!(backlog.due(2, later + 2 * FIRST_PAUSE), [places[1], places[2]]);
    backlog.done(places[2]);
    assert_eq!(backlog.done_before(places[4].end()), places[1].start());
    backlog.done(places[1]);
    assert_eq!(backlog.due(10, later + 2 * FIRST_PAUSE), [places[4]]);
    assert!(backlog.done(places[4]), "an earlier process received it");
    assert_eq!(backlog.done_before(places[4].end()), places[4].end());
}

#[test]
fn what_is_put_off_without_a_reason_comes_first_the_next_time() {
    let (mut backlog, now, places) = (Backlog::default(), Instant::now(), places(3));
    for place in &places {
        assert!(backlog.enter(*place, touched(&[1]), false));
    }
    backlog.put_off(places[0]);
    assert!(backlog.must_wait(places[1]) && backlog.must_wait(places[2]));
    assert_eq!(backlog.due(2, now), places[..2]);
    assert!(!backlog.must_wait(places[1]), "only later ones wait");
}

proptest! {
    /// Whatever measurements are blocked and freed at any time: requests of a measurement are done in order, requests of
    /// free ones do not wait for ever, and all are done when nothing is blocked any more.
    #[test]
    fn each_measurements_requests_are_done_in_order(
        requests in prop::collection::vec(prop::collection::vec(0_u32..4, 1..3), 1..60),
        locks in prop::collection::vec(prop::collection::btree_set(0_u32..4, 0..3), 1..40),
        most in 1_usize..8,
    ) {
        let places = places(requests.len());
        let (mut backlog, mut now) = (Backlog::default(), Instant::now());
        let at: BTreeMap<Place, usize> = places.iter().copied().zip(0..).collect();
        let mut order = Vec::new();
        let mut next = 0;
        let free: BTreeSet<Name> = BTreeSet::new();
        for round in 0..1_000 {
            let locked = locks.get(round).unwrap_or(&free);
            let mut group = backlog.due(most, now);
            while group.len() < most && next < places.len() {
                let names: BTreeSet<Name> = requests[next].iter().copied().collect();
                if backlog.enter(places[next], names.into_iter().collect(), false) {
                    group.push(places[next]);
                }
                next += 1;
            }
            prop_assert!(group.is_sorted());
            let mut held: BTreeSet<Name> = BTreeSet::new();
            for place in group {
                let names = &requests[at[&place]];
                if let Some(name) = names.iter().find(|name| locked.contains(name)) {
                    backlog.block(place, Some(*name), now);
                    held.extend(names);
                } else if names.iter().any(|name| held.contains(name)) {
                    backlog.put_off(place);
                    held.extend(names);
                } else {
                    backlog.done(place);
                    order.push(at[&place]);
                }
            }
            now += FIRST_PAUSE;
            if order.len() == places.len() {
                break;
            }
        }
        prop_assert_eq!(order.len(), places.len());
        for name in 0..4 {
            prop_assert!(order.iter().filter(|at| requests[**at].contains(&name)).is_sorted());
        }
    }
}
