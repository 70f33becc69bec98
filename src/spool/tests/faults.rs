//! Failures at every operation, and at any; crashes at any; and file systems that lie, which must be found out.

use std::{cell::Cell, io::ErrorKind};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use super::{
    harness::{Action, Broken, Harness},
    model_fs::{Fault, Lie},
};

/// Appends over several segments, reads, advances within and over segments, restarts, and drains.
const SCRIPT: &[Action] = &[
    Action::Append(100),
    Action::Append(300),
    Action::Append(400),
    Action::Next,
    Action::Next,
    Action::Advance(1),
    Action::Append(50),
    Action::Next,
    Action::Advance(2),
    Action::Append(900),
    Action::Restart,
    Action::Append(10),
    Action::Next,
    Action::Rewind,
    Action::Next,
    Action::Next,
    Action::Advance(2),
    Action::Append(200),
    Action::Append(300),
];

enum After {
    GoOn,
    Crash,
}

/// Runs the script with a fault at the n-th operation; whether it struck.
fn run_script(n: u64, fault: Fault, after: &After) -> Result<bool, Broken> {
    let mut harness = Harness::new(Lie::None, n);
    harness.fs.arm(n, fault);
    for action in SCRIPT {
        harness.act(action)?;
    }
    let has_struck = !harness.fs.disarm();
    if matches!(after, After::Crash) {
        harness.crash();
    }
    harness.drain()?;
    harness.crash();
    harness.drain()?;
    Ok(has_struck)
}

#[test]
fn any_single_operation_may_fail_and_nothing_is_lost() {
    let faults = [Fault::Fails(ErrorKind::StorageFull), Fault::Fails(ErrorKind::Other), Fault::PowerCut];
    for fault in faults {
        for after in [After::GoOn, After::Crash] {
            let mut n = 1;
            while run_script(n, fault, &after).unwrap_or_else(|broken| panic!("{fault:?} at {n}: {broken}")) {
                n += 1;
            }
            assert!(n > 80, "only {n} operations");
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (0_usize..500).prop_map(Action::Append),
        6 => Just(Action::Next),
        3 => (1_usize..5).prop_map(Action::Advance),
        1 => Just(Action::Rewind),
        1 => Just(Action::Restart),
        2 => (1_u64..12).prop_map(Action::PowerCut),
        1 => (1_u64..12).prop_map(Action::Fails),
    ]
}

fn run(actions: &[Action], seed: u64, lie: Lie) -> Result<Harness, Broken> {
    let mut harness = Harness::new(lie, seed);
    for action in actions {
        harness.act(action)?;
    }
    harness.crash();
    harness.drain()?;
    Ok(harness)
}

/// Runs random actions; what broke first, made small.
fn check(cases: u32, lie: Lie, visit: impl Fn(&Harness)) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The planted lies must be found each time, so the same cases are tried each time.
    let mut runner = match lie {
        Lie::None => TestRunner::new(config),
        _ => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let cases = (prop::collection::vec(action(), 0..60), any::<u64>());
    let result = runner.run(&cases, |(actions, seed)| {
        run(&actions, seed, lie).map(|harness| visit(&harness)).map_err(TestCaseError::fail)
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, case) => format!("{reason}: {case:?}"),
        TestError::Abort(reason) => panic!("{reason}"),
    })
}

#[test]
fn every_acknowledged_frame_is_read_once_and_in_order_whatever_crashes() {
    let (crashes, torn_bytes) = (Cell::new(0), Cell::new(0));
    check(1_000, Lie::None, |harness| {
        crashes.set(crashes.get() + harness.crashes);
        torn_bytes.set(torn_bytes.get() + harness.torn_bytes);
    })
    .unwrap();
    // Else the runs have proved nothing.
    assert!(crashes.get() > 1_000 && torn_bytes.get() > 1_000, "{crashes:?} {torn_bytes:?}");
}

#[test]
fn an_acknowledgement_before_the_sync_is_found_out() {
    let broken = check(1_000, Lie::DataSync, |_| ()).unwrap_err();
    assert!(broken.contains("lost"), "{broken}");
}

#[test]
fn a_new_segment_whose_folder_is_not_synced_is_found_out() {
    let broken = check(1_000, Lie::FolderSync, |_| ()).unwrap_err();
    assert!(["lost", "missing", "again"].iter().any(|word| broken.contains(word)), "{broken}");
}

#[test]
fn a_segment_that_is_removed_before_the_cursor_is_durable_is_found_out() {
    let broken = check(1_000, Lie::RemovalBeforeCursor, |_| ()).unwrap_err();
    assert!(["missing", "again"].iter().any(|word| broken.contains(word)), "{broken}");
}
