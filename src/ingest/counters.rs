//! What became of lines.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use super::{Ack, IngestError, Protocol, Written, metric, refusals::Refusals};

/// Lines by what became of them, since the process started, for each protocol. `received` is the sum of the others at any
/// quiet moment.
#[derive(Debug, Default)]
pub struct Counters {
    protocols: [ProtocolCounters; Protocol::ALL.len()],
    writer_restarts: AtomicU64,
}

#[derive(Debug, Default)]
struct ProtocolCounters {
    received: AtomicU64,
    committed: AtomicU64,
    spooled: AtomicU64,
    refused: AtomicU64,
    dead_lettered: AtomicU64,
    duplicate: AtomicU64,
    failed: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// [`Counters`] at one moment, of one protocol or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CounterValues {
    /// Lines that arrived.
    pub received: u64,
    /// Lines in rows that were committed.
    pub committed: u64,
    /// Lines that are on this machine's disk and will be committed.
    pub spooled: u64,
    /// Lines that were refused.
    pub refused: u64,
    /// Lines whose rows the database refused, and which are kept as dead letters.
    pub dead_lettered: u64,
    /// Lines of repeated requests.
    pub duplicate: u64,
    /// Lines of requests that were sent back whole: database away, writers behind, all or nothing.
    pub failed: u64,
    /// Lines on their way.
    pub in_flight: u64,
    /// Requests that arrived.
    pub requests: u64,
    /// Bytes of their bodies, inflated.
    pub bytes: u64,
}

/// What ingestion shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IngestFigures {
    /// Of all protocols.
    #[serde(flatten)]
    pub all: CounterValues,
    /// Of each protocol that was used.
    pub by_protocol: BTreeMap<&'static str, CounterValues>,
    /// Writers that ended by a defect and were started again.
    pub writer_restarts: u64,
}

impl Counters {
    /// The figures now.
    #[must_use]
    pub fn values(&self) -> IngestFigures {
        let mut all = CounterValues::default();
        let mut by_protocol = BTreeMap::new();
        for (protocol, counters) in Protocol::ALL.into_iter().zip(&self.protocols) {
            let values = counters.values();
            if values.requests > 0 {
                by_protocol.insert(protocol.label(), values);
                all.add(values);
            }
        }
        IngestFigures { all, by_protocol, writer_restarts: self.writer_restarts.load(Ordering::Relaxed) }
    }

    pub(super) fn requested(&self, protocol: Protocol, bytes: usize) {
        let counters = self.of(protocol);
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        metrics::counter!(metric::REQUESTS, "protocol" => protocol.label()).increment(1);
        metrics::counter!(metric::BYTES, "protocol" => protocol.label()).increment(bytes as u64);
    }

    pub(super) fn received(&self, protocol: Protocol, lines: u64) {
        count(&self.of(protocol).received, protocol, "received", lines);
    }

    pub(super) fn refused(protocol: Protocol, refusals: &Refusals) {
        for (class, lines) in refusals.classes() {
            metrics::counter!(metric::REFUSED, "protocol" => protocol.label(), "reason" => class).increment(lines);
        }
    }

    /// Enters what became of a request whose lines were received.
    pub(super) fn answered(&self, protocol: Protocol, lines: u64, result: &Result<Written, IngestError>) {
        let counters = self.of(protocol);
        match result {
            Ok(written) if written.duplicate => count(&counters.duplicate, protocol, "duplicate", lines),
            Ok(written) => {
                let all_refused = written.refused_total;
                let refused = all_refused.saturating_sub(written.dead_lettered);
                let good = lines.saturating_sub(all_refused);
                match written.ack {
                    Ack::Committed => count(&counters.committed, protocol, "committed", good),
                    Ack::Spooled => count(&counters.spooled, protocol, "spooled", good),
                }
                count(&counters.refused, protocol, "refused", refused);
                count(&counters.dead_lettered, protocol, "dead_lettered", written.dead_lettered);
            }
            Err(_) => count(&counters.failed, protocol, "failed", lines),
        }
    }

    /// Enters what became of lines that were in the spool. `inherited` ones were received by an earlier process.
    pub(super) fn replayed(&self, protocol: Protocol, lines: u64, inherited: bool, written: &Written) {
        let counters = self.of(protocol);
        if inherited {
            count(&counters.received, protocol, "received", lines);
        } else {
            counters.spooled.fetch_sub(lines, Ordering::Relaxed);
        }
        if written.duplicate {
            return count(&counters.duplicate, protocol, "duplicate", lines);
        }
        let lost = written.refused_total;
        count(&counters.committed, protocol, "committed", lines.saturating_sub(lost));
        count(&counters.dead_lettered, protocol, "dead_lettered", lost);
    }

    pub(super) fn writer_restarted(&self) {
        self.writer_restarts.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(metric::WRITER_RESTARTS).increment(1);
    }

    fn of(&self, protocol: Protocol) -> &ProtocolCounters {
        let place = Protocol::ALL.iter().position(|other| *other == protocol).unwrap_or_default();
        &self.protocols[place]
    }
}

fn count(counter: &AtomicU64, protocol: Protocol, outcome: &'static str, lines: u64) {
    if lines > 0 {
        counter.fetch_add(lines, Ordering::Relaxed);
        metrics::counter!(metric::LINES, "protocol" => protocol.label(), "outcome" => outcome).increment(lines);
    }
}

impl ProtocolCounters {
    fn values(&self) -> CounterValues {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // What became of lines is read before how many came, so that none seems to have become of nothing.
        let (committed, spooled, refused) = (load(&self.committed), load(&self.spooled), load(&self.refused));
        let (dead_lettered, duplicate, failed) = (load(&self.dead_lettered), load(&self.duplicate), load(&self.failed));
        let received = load(&self.received);
        let in_flight = received.saturating_sub(committed + spooled + refused + dead_lettered + duplicate + failed);
        let (requests, bytes) = (load(&self.requests), load(&self.bytes));
        CounterValues {
            received,
            committed,
            spooled,
            refused,
            dead_lettered,
            duplicate,
            failed,
            in_flight,
            requests,
            bytes,
        }
    }
}

impl CounterValues {
    fn add(&mut self, other: Self) {
        self.received += other.received;
        self.committed += other.committed;
        self.spooled += other.spooled;
        self.refused += other.refused;
        self.dead_lettered += other.dead_lettered;
        self.duplicate += other.duplicate;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_is_the_sum_of_what_became_of_it() {
        let counters = Counters::default();
        let http = Protocol::LineProtocolHttp;
        counters.requested(http, 100);
        counters.requested(Protocol::Mqtt, 1);
        counters.received(http, 20);
        let written = Written { written: 7, refused_total: 3, ..Written::default() };
        counters.answered(http, 10, &Ok(written.clone()));
        counters.answered(http, 4, &Ok(Written { duplicate: true, ..written }));
        counters.answered(http, 1, &Err(IngestError::Overloaded));
        let values = counters.values();
        let expected = CounterValues {
            received: 20,
            committed: 7,
            refused: 3,
            duplicate: 4,
            failed: 1,
            in_flight: 5,
            requests: 1,
            bytes: 100,
            ..CounterValues::default()
        };
        assert_eq!(values.by_protocol["line_protocol_http"], expected);
        assert_eq!(values.all, CounterValues { requests: 2, bytes: 101, ..expected });
        assert_eq!(values.by_protocol.len(), 2);
    }
}
