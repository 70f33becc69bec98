//! How often each row must be there, against how often it is.

use hashbrown::HashSet;
use uuid::Uuid;

use super::{Proof, scan::Found};
use crate::feed::{
    Rows,
    journal::{Outcome, Recorded, SentBatch},
};

/// How often a row must and may be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bounds {
    must: u8,
    /// Beyond what it must.
    may: u8,
}

/// Enters lost, twice, phantom and missing rows, and what became of the requests in doubt; `known` are those that the
/// ledger has.
pub(super) fn compare(recorded: &Recorded, rows: &Rows, found: &Found, known: &HashSet<Uuid>, proof: &mut Proof) {
    let acknowledges = recorded.header.protocol.acknowledges();
    for ((source, batches), found) in (0..).zip(&recorded.sources).zip(&found.0) {
        let mut bounds = vec![Bounds::default(); found.len()];
        for batch in batches {
            each_row(rows, source, batch, |row| {
                let Some(bounds) = bounds.get_mut(row) else { return };
                match batch.outcome {
                    Outcome::Acknowledged(_) => {
                        bounds.must += 1;
                        proof.acknowledged_rows += 1;
                    }
                    Outcome::InDoubt => {
                        bounds.may += 1;
                        proof.unacknowledged_rows += u64::from(!acknowledges);
                    }
                    Outcome::Refused { written } => bounds.may += u8::from(written > 0),
                }
            });
        }
        for (row, (bounds, &count)) in bounds.iter().zip(found).enumerate() {
            row_verdict(*bounds, count, acknowledges, (source, row as u64), proof);
        }
        for batch in batches {
            batch_verdict(rows, source, batch, (&bounds, found), known, acknowledges, proof);
        }
    }
}

/// Calls `each` with the index of every row that a request sends.
fn each_row(rows: &Rows, source: u32, batch: &SentBatch, mut each: impl FnMut(usize)) {
    // A row's number is below its source's last position, which an index has already counted to.
    rows.sent(source, batch.positions.clone(), |seq| each(usize::try_from(seq).unwrap_or(usize::MAX)));
}

fn row_verdict(bounds: Bounds, count: u8, acknowledges: bool, (source, row): (u32, u64), proof: &mut Proof) {
    let most = bounds.must + bounds.may;
    if count < bounds.must {
        let lost = bounds.must - count;
        proof.lost += u64::from(lost);
        proof.show("lost", Some(source), Some(row), || format!("acknowledged {} times, there {count}", bounds.must));
    } else if count > most {
        let (what, counter) = if most == 0 { ("phantom", &mut proof.phantom) } else { ("twice", &mut proof.twice) };
        *counter += u64::from(count - most);
        proof.show(what, Some(source), Some(row), || format!("sent {most} times, there {count}"));
    }
    if !acknowledges {
        proof.missing += u64::from(most.saturating_sub(count));
    }
}

/// A request in doubt is there whole or not at all; one that was refused in part with as many rows as its answer said.
fn batch_verdict(
    rows: &Rows,
    source: u32,
    batch: &SentBatch,
    (bounds, found): (&[Bounds], &[u8]),
    known: &HashSet<Uuid>,
    acknowledges: bool,
    proof: &mut Proof,
) {
    let partly = match batch.outcome {
        Outcome::InDoubt if acknowledges => None,
        Outcome::Refused { written } if written > 0 => Some(written),
        _ => return,
    };
    let (mut sent, mut there) = (0_u64, 0_u64);
    each_row(rows, source, batch, |row| {
        let (Some(bounds), Some(&count)) = (bounds.get(row), found.get(row)) else { return };
        // A row that two such requests sent says nothing of either.
        if bounds.may == 1 {
            sent += 1;
            there += u64::from(count > bounds.must);
        }
    });
    match partly {
        Some(written) if there < written && sent >= written => {
            proof.lost += written - there;
            proof.show("lost", Some(source), None, || format!("{} wrote {written} rows, {there} are there", batch.id));
        }
        Some(written) if there > written => {
            proof.phantom += there - written;
            proof.show("phantom", Some(source), None, || {
                format!("{} wrote {written} rows, {there} are there", batch.id)
            });
        }
        Some(_) => {}
        None if there == 0 => {
            proof.in_doubt_absent += 1;
            if known.contains(&batch.id) {
                proof.ledger_without_rows += 1;
                proof.show("ledger without rows", Some(source), None, || batch.id.to_string());
            }
        }
        None if there == sent => proof.in_doubt_present += 1,
        None => {
            proof.torn += 1;
            proof.show("torn", Some(source), None, || format!("{there} of {sent} rows of {} are there", batch.id));
        }
    }
}
