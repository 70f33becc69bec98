//! What the spool holds, for `/metrics`.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::MissedTickBehavior;

use super::{
    super::{lanes::Sender, metric},
    Spooling,
};

/// How old a figure may be.
const EVERY: Duration = Duration::from_secs(1);

/// Sets the gauges, until the service has ended.
pub(in super::super) async fn show(spooling: Arc<Spooling>, service: Weak<Sender>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while service.strong_count() > 0 {
        set(&spooling);
        ticks.tick().await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn set(spooling: &Spooling) {
    let figures = spooling.figures();
    let age_us = figures.oldest_us.map_or(0, |oldest_us| chrono::Utc::now().timestamp_micros() - oldest_us);
    for (name, value) in [
        (metric::SPOOL_REQUESTS, figures.frames as f64),
        (metric::SPOOL_BYTES, figures.bytes as f64),
        (metric::SPOOL_DISK_BYTES, figures.disk_bytes as f64),
        (metric::SPOOL_OLDEST, age_us.max(0) as f64 / 1e6),
        (metric::SPOOL_AWAY, f64::from(u8::from(figures.database_away))),
        (metric::SPOOL_QUARANTINED, figures.quarantined_segments as f64),
        (metric::SPOOL_DAMAGED, figures.damaged_bytes as f64),
    ] {
        metrics::gauge!(name).set(value);
    }
}
