//! A service with a spool of its own, behind a proxy by which its database goes away and comes back.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Harness, feeds::RECOVERY};
use crate::{
    faults::clients::block_until,
    support::{Answer, Proxy, TestDatabase},
};

/// The database is found to be away within the patience for one write, and a little for a busy machine.
const FOUND_AWAY: Duration = Duration::from_secs(10);

impl Harness {
    /// A service whose database is behind the proxy. Proofs and questions take the straight way.
    pub(super) fn spooling(
        database: &TestDatabase,
        proxy: &Proxy,
        fault: &'static str,
        variables: &[(&'static str, &'static str)],
    ) -> Self {
        let mut harness = Self::unstarted(["--database-url".to_owned(), proxy.url().to_owned()], fault, variables);
        harness.proof[1] = database.url();
        harness.flags = vec!["--read-database-url".to_owned(), database.url()];
        harness.with_spool()
    }

    /// Starts it with a spool in a folder of its own.
    pub(super) fn with_spool(mut self) -> Self {
        self.flags.extend(["--data-dir".to_owned(), self.data().to_str().unwrap().to_owned()]);
        self.variables.push(("CHUNKWISE_SPOOL__WHEN_AWAY", "spool"));
        self.start();
        self
    }

    /// The data folder of a service that does not have its database there.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The spool's only segment.
    pub(super) fn segment(&self) -> PathBuf {
        let names = std::fs::read_dir(self.data().join("spool")).unwrap().map(|entry| entry.unwrap().path());
        let segments: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|it| it == "seg")).collect();
        assert_eq!(segments.len(), 1, "{segments:?}");
        segments[0].clone()
    }

    /// A figure of the spool.
    pub(super) fn spool(&self, name: &str) -> u64 {
        let stats = self.stats();
        stats["spool"][name].as_u64().unwrap_or_else(|| panic!("{name}: {stats:#}"))
    }

    /// Waits until so many requests are in the spool.
    pub(super) fn wait_for_spooled(&self, requests: u64) {
        block_until("requests in the spool", FOUND_AWAY, || self.spool("frames") >= requests);
    }

    /// Waits until the spool is empty, and notes how long that has been since `since`.
    pub(super) fn wait_for_drain(&mut self, since: Instant) {
        block_until("an empty spool", RECOVERY, || {
            let stats = self.stats();
            stats["spool"]["frames"] == 0 && stats["spool"]["database_away"] == false
        });
        self.recoveries.push(since.elapsed());
    }

    /// A write of one row.
    pub(super) fn probe(&self, value: u32) -> Answer {
        self.service().post("/write", format!("probe v={value}").as_bytes())
    }
}
