//! What is sent is there, whatever it is.

use super::Stand;

#[tokio::test]
async fn every_kind_and_set_of_fields_arrives_to_the_last_bit() {
    for kind in ["assets", "sensors"] {
        for fields in ["all", "numbers"] {
            let stand = Stand::new().await;
            let (code, summary) =
                stand.feed(&["--kind", kind, "--fields", fields, "--lines", "20000", "--connections", "3"]);
            assert_eq!((code, &summary["in_doubt_lines"], &summary["refused_lines"]), (0, &0.into(), &0.into()));
            assert_eq!(summary["committed_lines"], summary["sent_lines"]);
            let proof = stand.assert_found(&[]);
            assert_eq!((&proof["rows"], &proof["acknowledged_rows"]), (&summary["sent_lines"], &summary["sent_lines"]));
        }
    }
}

#[tokio::test]
async fn a_schedule_is_kept_and_measured() {
    let stand = Stand::new().await;
    let (code, summary) =
        stand.feed(&["--rate", "5000", "--duration", "1s", "--lines-per-request", "100", "--connections", "2"]);
    assert_eq!((code, &summary["committed_lines"], &summary["requests"]), (0, &5_000.into(), &50.into()));
    let [p50, p99, max] = ["p50", "p99", "max"].map(|at| summary["acknowledge_ms"][at].as_f64().unwrap());
    // Nothing is committed in less than a tenth of a millisecond.
    assert!(0.1 < p50 && p50 <= p99 && p99 <= max, "{summary:#}");
    stand.assert_found(&[]);
}

#[tokio::test]
async fn lines_that_the_service_refuses_are_counted_and_none_of_them_is_expected() {
    let stand = Stand::new().await;
    // A row a minute: those of more than a day ahead are refused.
    let start = chrono::Utc::now() + chrono::TimeDelta::minutes(24 * 60 - 40);
    let start = start.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (code, summary) = stand.feed(&["--start", &start, "--step", "60000000", "--lines", "100"]);
    let refused = summary["refused_lines"].as_u64().unwrap();
    assert!(code == 1 && (50..70).contains(&refused), "{summary:#}");
    let proof = stand.assert_found(&[]);
    assert_eq!((&proof["rows"], &proof["refused_requests"]), (&(100 - refused).into(), &1.into()));
}

#[tokio::test]
async fn what_cannot_be_sent_or_proved_is_a_matter_of_the_command_line() {
    let stand = Stand::new().await;
    stand.feed(&["--lines", "10"]);
    let journal = stand.file("journal").to_str().unwrap().to_owned();
    for wrong in [
        Stand::arguments(&journal, &stand.app.base, &[]),
        vec!["feed", "--measurement", "a b"],
        vec!["feed", "--protocol", "opentsdb-http", "--step", "1"],
        vec!["feed", "--url", "https://example.org"],
        vec!["feed", "--verify", &journal, "--lines", "5"],
        vec!["feed", "--verify", "/nowhere/journal"],
    ] {
        let finished = crate::support::run(&wrong);
        assert_eq!((finished.code, finished.stdout.len()), (2, 0), "{wrong:?}: {}", finished.stderr);
    }
}
