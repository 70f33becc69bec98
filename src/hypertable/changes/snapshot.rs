//! Which transactions a snapshot of PostgreSQL's sees. Pure.

use serde::{Deserialize, Serialize};

/// `pg_current_snapshot()`, as text `xmin:xmax:xip,xip`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgSnapshot {
    /// Every transaction below has ended.
    xmin: u64,
    /// No transaction from here on had begun.
    xmax: u64,
    /// Those between that had not ended, ascending.
    under_way: Vec<u64>,
    /// A replica does not tell which are under way.
    replica: bool,
}

impl PgSnapshot {
    /// Reads the text; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str, replica: bool) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let under_way = parts.next()?.split(',').filter(|xid| !xid.is_empty());
        let mut under_way: Vec<u64> = under_way.map(str::parse).collect::<Result<_, _>>().ok()?;
        under_way.sort_unstable();
        Some(Self { xmin, xmax, under_way, replica })
    }

    /// The snapshot as text, of a replica's only what it surely sees.
    #[must_use]
    pub fn text(&self) -> String {
        if self.replica {
            return format!("{0}:{0}:", self.xmin);
        }
        let under_way: Vec<String> = self.under_way.iter().map(u64::to_string).collect();
        format!("{}:{}:{}", self.xmin, self.xmax, under_way.join(","))
    }

    /// Whether it sees what this transaction, which committed, has done; `None` where only the server knows.
    #[must_use]
    pub fn sees(&self, xid: u64) -> Option<bool> {
        if xid < self.xmin {
            Some(true)
        } else if xid >= self.xmax {
            Some(false)
        } else if self.replica {
            None
        } else {
            Some(self.under_way.binary_search(&xid).is_err())
        }
    }

    /// Whether it sees everything that the other one sees.
    #[must_use]
    pub fn sees_all_of(&self, other: &Self) -> bool {
        if self.replica || other.replica {
            return self.replica == other.replica && self.xmin >= other.xmin && self.xmax >= other.xmax;
        }
        self.xmax >= other.xmax && self.under_way.iter().all(|xid| other.sees(*xid) == Some(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> PgSnapshot {
        PgSnapshot::parse(text, false).unwrap()
    }

    #[test]
    fn what_had_ended_is_seen() {
        let seen = |text, xid| PgSnapshot::parse(text, false).unwrap().sees(xid);
        assert_eq!([9, 10, 11, 12, 20].map(|xid| seen("10:20:10,12", xid).unwrap()), [true, false, true, false, false]);
        assert_eq!(PgSnapshot::parse("10:20:", true).unwrap().sees(15), None);
        assert_eq!(snapshot("10:20:12,10").text(), "10:20:10,12");
        assert_eq!(PgSnapshot::parse("10:20:", true).unwrap().text(), "10:10:");
        for bad in ["", "10", "10:20", "a:b:", "10:20:x"] {
            assert_eq!(PgSnapshot::parse(bad, false), None, "{bad}");
        }
    }

    #[test]
    fn a_later_snapshot_sees_all_of_an_earlier_one() {
        let (first, second) = (snapshot("10:20:10,12"), snapshot("12:22:12,21"));
        assert!(second.sees_all_of(&first) && first.sees_all_of(&first));
        assert!(!first.sees_all_of(&second), "20 and 10 have ended since");
        assert!(!snapshot("10:20:10,12,13").sees_all_of(&first), "13 had ended");
    }
}
