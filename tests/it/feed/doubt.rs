//! Answers that are lost on the way.

use std::{fs, process::Stdio, time::Duration};

use rustix::process::Signal;
use serde_json::Value;

use super::Stand;
use crate::support::{At, Process, Proxy, command, wait_until};

impl Stand {
    /// Starts a feed without an end through a proxy; its summary goes to the file `summary`.
    fn begin(&self, proxy: &Proxy) -> Process {
        let [journal, summary] = ["journal", "summary"].map(|name| self.file(name).to_str().unwrap().to_owned());
        let mut arguments = Self::arguments(&journal, proxy.url(), &[]);
        arguments.retain(|argument| !matches!(*argument, "--json" | "-"));
        arguments.extend(["--duration", "1h", "--lines-per-request", "200", "--rate", "20000", "--in-flight", "4"]);
        arguments.extend(["--json", &summary]);
        Process::spawn(command(&arguments).stdout(Stdio::null()))
    }

    /// Requests that the journal says were acknowledged.
    fn acknowledged(&self) -> usize {
        fs::read_to_string(self.file("journal")).map_or(0, |journal| journal.matches("\nA ").count())
    }

    async fn wait_for_acknowledgements(&self, more: usize) {
        let before = self.acknowledged();
        wait_until("requests acknowledged", async || self.acknowledged() >= before + more).await;
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_sent_again_under_its_id_until_it_is_settled() {
    let stand = Stand::new().await;
    let proxy = Proxy::before_service(&stand.app.base);
    let mut feed = stand.begin(&proxy);
    for at in [At::BeforeAnswer, At::BeforeRequest].repeat(6) {
        stand.wait_for_acknowledgements(2).await;
        proxy.trap(at);
        wait_until("a lost answer", async || !proxy.is_trapped()).await;
    }
    feed.signal(Signal::INT);
    assert_eq!(feed.wait(Duration::from_secs(60)).code(), Some(0));

    let summary: Value = serde_json::from_slice(&fs::read(stand.file("summary")).unwrap()).unwrap();
    assert_eq!((&summary["in_doubt_lines"], &summary["refused_lines"]), (&0.into(), &0.into()));
    assert_eq!(summary["committed_lines"], summary["sent_lines"]);
    assert_eq!(summary["doubts"], 12, "{summary:#}");
    // Each lost answer was one to rows that were there; one request may have lost several.
    let duplicates = summary["duplicates"].as_u64().unwrap();
    assert!((1..=6).contains(&duplicates), "{summary:#}");
    let proof = stand.assert_found(&[]);
    assert_eq!(proof["rows"], summary["sent_lines"]);
}

#[tokio::test]
async fn a_service_that_is_away_for_a_while_gets_everything_in_the_end() {
    let stand = Stand::new().await;
    let proxy = Proxy::before_service(&stand.app.base);
    let mut feed = stand.begin(&proxy);
    for _ in 0..5 {
        stand.wait_for_acknowledgements(5).await;
        proxy.cut();
        let before = proxy.accepted();
        wait_until("attempts in vain", async || proxy.accepted() >= before + 4).await;
        proxy.heal();
    }
    stand.wait_for_acknowledgements(1).await;
    feed.signal(Signal::TERM);
    assert_eq!(feed.wait(Duration::from_secs(60)).code(), Some(0));
    let proof = stand.assert_found(&[]);
    assert_eq!((&proof["in_doubt_present"], &proof["in_doubt_absent"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn a_feed_that_is_killed_leaves_a_journal_that_can_be_verified() {
    let stand = Stand::new().await;
    let proxy = Proxy::before_service(&stand.app.base);
    let mut feed = stand.begin(&proxy);
    stand.wait_for_acknowledgements(10).await;
    feed.kill();
    let proof = stand.assert_found(&[]);
    let doubts = proof["in_doubt_present"].as_u64().unwrap() + proof["in_doubt_absent"].as_u64().unwrap();
    assert!(doubts <= 4 && proof["acknowledged_rows"].as_u64().unwrap() >= 2_000, "{proof:#}");
}

#[tokio::test]
async fn what_nobody_takes_is_in_doubt_and_said_so() {
    let stand = Stand::new().await;
    let proxy = Proxy::before_service(&stand.app.base);
    proxy.cut();
    let journal = stand.file("journal").to_str().unwrap().to_owned();
    let finished = crate::support::run(&Stand::arguments(&journal, proxy.url(), &["--lines", "10", "--settle", "0s"]));
    let summary: Value = serde_json::from_slice(&finished.stdout).unwrap();
    assert_eq!((finished.code, &summary["in_doubt_lines"]), (1, &10.into()));
    // Nothing was promised, and the measurement was never made.
    let proof = stand.assert_found(&[]);
    assert_eq!((&proof["in_doubt_absent"], &proof["rows"]), (&1.into(), &0.into()));
}
