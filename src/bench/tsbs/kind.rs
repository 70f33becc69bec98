//! TSBS's types of questions about processors, by its own names.
//!
//! | type | is |
//! |---|---|
//! | `single-groupby-F-H-N` | the greatest of F fields of H random hosts together, by minute, over N random hours |
//! | `cpu-max-all-H` | the greatest of all ten fields of H random hosts together, by hour, over 8 random hours |
//! | `double-groupby-F` | the mean of F fields of each host, by hour, over 12 random hours |
//! | `high-cpu-H` | the rows of H random hosts, or of all, with a `usage_user` above 90, over 12 random hours |
//! | `groupby-orderby-limit` | the greatest `usage_user` of all hosts, of the last five minutes before a random time |
//! | `lastpoint` | the last row of each host |
//!
//! Over rows the statements are TSBS's for TimescaleDB, with the tags where chunkwise's view has them; `lastpoint` asks the view
//! of last values. Bars and windows are about whole buckets, so their ranges begin at one, where TSBS's begin anywhere. A window
//! holds each host's values: the greatest of several hosts is the asker's to take. What has no path has no figures.

use rand::Rng;
use serde_json::json;

use crate::{bench::client::Question, feed::Hosts, hypertable::time_literal};

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;

/// A type of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SingleGroupBy {
        fields: usize,
        hosts: usize,
        hours: i64,
    },
    MaxAll {
        hosts: usize,
    },
    DoubleGroupBy {
        fields: usize,
    },
    /// Of one host, or of all.
    HighCpu {
        hosts: usize,
    },
    OrderByLimit,
    LastPoint,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// SQL over rows.
    Sql,
    /// SQL over bars.
    Bars,
    /// Windows, or last values, over REST; several at once.
    Rest,
}

impl Path {
    pub(super) const ALL: [Self; 3] = [Self::Sql, Self::Bars, Self::Rest];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Bars => "bars",
            Self::Rest => "rest",
        }
    }
}

/// What there is to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) hosts: Vec<String>,
    /// The first row's time, and the last one's.
    pub(super) from_us: i64,
    pub(super) to_us: i64,
}

/// What one question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picked {
    hosts: Vec<String>,
    from_us: i64,
    to_us: i64,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::SingleGroupBy { fields: 1, hosts: 1, hours: 1 },
        Self::SingleGroupBy { fields: 1, hosts: 1, hours: 12 },
        Self::SingleGroupBy { fields: 1, hosts: 8, hours: 1 },
        Self::SingleGroupBy { fields: 5, hosts: 1, hours: 1 },
        Self::SingleGroupBy { fields: 5, hosts: 1, hours: 12 },
        Self::SingleGroupBy { fields: 5, hosts: 8, hours: 1 },
        Self::MaxAll { hosts: 1 },
        Self::MaxAll { hosts: 8 },
        Self::DoubleGroupBy { fields: 1 },
        Self::DoubleGroupBy { fields: 5 },
        Self::DoubleGroupBy { fields: 10 },
        Self::HighCpu { hosts: 0 },
        Self::HighCpu { hosts: 1 },
        Self::OrderByLimit,
        Self::LastPoint,
    ];

    /// TSBS's.
    pub(super) fn name(self) -> String {
        let or_all = |count: usize, all: usize| if count == all { "all".to_owned() } else { count.to_string() };
        match self {
            Self::SingleGroupBy { fields, hosts, hours } => format!("single-groupby-{fields}-{hosts}-{hours}"),
            Self::MaxAll { hosts } => format!("cpu-max-all-{hosts}"),
            Self::DoubleGroupBy { fields } => format!("double-groupby-{}", or_all(fields, Hosts::FIELDS.len())),
            Self::HighCpu { hosts } => format!("high-cpu-{}", or_all(hosts, 0)),
            Self::OrderByLimit => "groupby-orderby-limit".to_owned(),
            Self::LastPoint => "lastpoint".to_owned(),
        }
    }

    /// Hosts, and the length of the time.
    fn extent(self) -> (usize, i64) {
        match self {
            Self::SingleGroupBy { hosts, hours, .. } => (hosts, hours * HOUR_US),
            Self::MaxAll { hosts } => (hosts, 8 * HOUR_US),
            Self::DoubleGroupBy { .. } => (0, 12 * HOUR_US),
            Self::HighCpu { hosts } => (hosts, 12 * HOUR_US),
            Self::OrderByLimit => (0, HOUR_US),
            Self::LastPoint => (0, 0),
        }
    }

    /// Other hosts and another time each time; `None` where there are too few hosts, or the data are too short.
    pub(super) fn pick(self, data: &Data, random: &mut impl Rng) -> Option<Picked> {
        let (hosts, length_us) = self.extent();
        let latest_us = data.to_us - length_us;
        if data.hosts.len() < hosts || latest_us <= data.from_us {
            return None;
        }
        let mut picked: Vec<String> = Vec::with_capacity(hosts);
        while picked.len() < hosts {
            let host = &data.hosts[random.random_range(0..data.hosts.len())];
            if !picked.contains(host) {
                picked.push(host.clone());
            }
        }
        let from_us = random.random_range(data.from_us..latest_us);
        Some(Picked { hosts: picked, from_us, to_us: from_us + length_us })
    }

    fn fields(self) -> &'static [&'static str] {
        let count = match self {
            Self::SingleGroupBy { fields, .. } | Self::DoubleGroupBy { fields } => fields,
            Self::MaxAll { .. } | Self::LastPoint => Hosts::FIELDS.len(),
            Self::HighCpu { .. } | Self::OrderByLimit => 1,
        };
        &FIELDS[..count]
    }

    /// The width of its buckets.
    fn bucket_us(self) -> i64 {
        match self {
            Self::MaxAll { .. } | Self::DoubleGroupBy { .. } => HOUR_US,
            _ => MINUTE_US,
        }
    }

    /// The statement over rows.
    pub(super) fn sql(self, picked: &Picked) -> String {
        let (range, hosts) = (picked.range(), picked.hosts());
        let of_fields =
            |aggregate: &str, name: &str| listed(self.fields(), |f| format!("{aggregate}({f}) AS {name}_{f}"));
        match self {
            Self::SingleGroupBy { .. } => format!(
                "SELECT time_bucket('60 seconds', time) AS minute, {} FROM cpu WHERE {hosts} AND {range}
                 GROUP BY minute ORDER BY minute ASC",
                of_fields("max", "max")
            ),
            Self::MaxAll { .. } => format!(
                "SELECT time_bucket('3600 seconds', time) AS hour, {} FROM cpu WHERE {hosts} AND {range}
                 GROUP BY hour ORDER BY hour",
                of_fields("max", "max")
            ),
            Self::DoubleGroupBy { .. } => format!(
                "SELECT time_bucket('3600 seconds', time) AS hour, hostname, {} FROM cpu WHERE {range}
                 GROUP BY hour, hostname ORDER BY hour, hostname",
                of_fields("avg", "mean")
            ),
            Self::HighCpu { hosts: 0 } => format!("SELECT * FROM cpu WHERE usage_user > 90.0 AND {range}"),
            Self::HighCpu { .. } => format!("SELECT * FROM cpu WHERE usage_user > 90.0 AND {range} AND {hosts}"),
            Self::OrderByLimit => format!(
                "SELECT time_bucket('60 seconds', time) AS minute, max(usage_user) FROM cpu WHERE time < {}
                 GROUP BY minute ORDER BY minute DESC LIMIT 5",
                time_literal(picked.to_us)
            ),
            Self::LastPoint => "SELECT * FROM cpu_latest".to_owned(),
        }
    }

    /// The statement over bars.
    pub(super) fn bars_sql(self, picked: &Picked) -> Option<String> {
        let (range, hosts) = (picked.aligned(self.bucket_us()).range(), picked.hosts());
        let greatest = || listed(self.fields(), |f| format!("max({f}_max) AS max_{f}"));
        Some(match self {
            Self::SingleGroupBy { .. } => format!(
                "SELECT time AS minute, {} FROM cpu_bars_1m WHERE {hosts} AND {range} GROUP BY time ORDER BY time",
                greatest()
            ),
            Self::MaxAll { .. } => format!(
                "SELECT time AS hour, {} FROM cpu_bars_1h WHERE {hosts} AND {range} GROUP BY time ORDER BY time",
                greatest()
            ),
            Self::DoubleGroupBy { .. } => format!(
                "SELECT time AS hour, hostname, {} FROM cpu_bars_1h WHERE {range} ORDER BY time, hostname",
                listed(self.fields(), |f| format!("{f}_mean"))
            ),
            Self::HighCpu { .. } | Self::OrderByLimit | Self::LastPoint => return None,
        })
    }

    /// What is asked over REST.
    pub(super) fn questions(self, picked: &Picked) -> Vec<Question> {
        let (aggregate, bucket) = match self {
            Self::SingleGroupBy { .. } => ("max", "1m"),
            Self::MaxAll { .. } => ("max", "1h"),
            Self::DoubleGroupBy { .. } => ("mean", "1h"),
            Self::LastPoint => {
                let path = |field: &&str| format!("/api/v1/latest?measurement=cpu&field={field}");
                return self.fields().iter().map(|field| Question { path: path(field), body: None }).collect();
            }
            Self::HighCpu { .. } | Self::OrderByLimit => return Vec::new(),
        };
        let Picked { hosts, from_us, to_us } = picked.aligned(self.bucket_us());
        let window = |field: &&str| {
            let mut window = json!({
                "measurement": "cpu", "field": field, "bucket": bucket, "aggregate": aggregate,
                "from": from_us / 1_000, "to": to_us / 1_000,
            });
            if !hosts.is_empty() {
                window["series"] = json!({"hostname": hosts});
            }
            Question::window(window)
        };
        self.fields().iter().map(window).collect()
    }
}

/// For slices that outlive a call.
static FIELDS: [&str; Hosts::FIELDS.len()] = Hosts::FIELDS;

impl Picked {
    /// Constant bounds on both sides, so that chunks outside are not opened.
    fn range(&self) -> String {
        format!("time >= {} AND time < {}", time_literal(self.from_us), time_literal(self.to_us))
    }

    fn hosts(&self) -> String {
        let quoted: Vec<String> = self.hosts.iter().map(|host| format!("'{}'", host.replace('\'', "''"))).collect();
        format!("hostname IN ({})", quoted.join(", "))
    }

    /// As long, from the beginning of a bucket.
    fn aligned(&self, bucket_us: i64) -> Self {
        let from_us = self.from_us.div_euclid(bucket_us) * bucket_us;
        Self { hosts: self.hosts.clone(), from_us, to_us: from_us + self.to_us - self.from_us }
    }
}

fn listed(fields: &[&str], of_field: impl Fn(&str) -> String) -> String {
    fields.iter().map(|field| of_field(field)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn data(hosts: usize, hours: i64) -> Data {
        let hosts = (0..hosts).map(|number| format!("host_{number}")).collect();
        Data { hosts, from_us: 0, to_us: hours * HOUR_US }
    }

    #[test]
    fn names_are_those_of_tsbs() {
        let expected = "single-groupby-1-1-1 single-groupby-1-1-12 single-groupby-1-8-1 single-groupby-5-1-1 \
                        single-groupby-5-1-12 single-groupby-5-8-1 cpu-max-all-1 cpu-max-all-8 double-groupby-1 \
                        double-groupby-5 double-groupby-all high-cpu-all high-cpu-1 groupby-orderby-limit lastpoint";
        assert_eq!(Kind::ALL.map(Kind::name).join(" "), expected);
    }

    #[test]
    fn hosts_and_times_are_picked_at_random_and_the_same_for_the_same_seed() {
        let picked = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            Kind::ALL.map(|kind| kind.pick(&data(10, 24), &mut random).unwrap())
        };
        assert_eq!(picked(1), picked(1));
        assert_ne!(picked(1), picked(2));
        for (kind, Picked { hosts, from_us, to_us }) in Kind::ALL.into_iter().zip(picked(1)) {
            let (count, length_us) = kind.extent();
            assert_eq!((hosts.len(), to_us - from_us), (count, length_us), "{kind:?}");
            assert!(from_us >= 0 && to_us <= 24 * HOUR_US, "{kind:?}");
            let distinct: std::collections::BTreeSet<_> = hosts.iter().collect();
            assert_eq!(distinct.len(), count);
        }
        let mut random = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(Kind::MaxAll { hosts: 8 }.pick(&data(7, 24), &mut random), None);
        assert_eq!(Kind::DoubleGroupBy { fields: 1 }.pick(&data(7, 12), &mut random), None);
        assert!(Kind::LastPoint.pick(&data(1, 1), &mut random).is_some());
    }

    #[test]
    fn statements_are_those_of_tsbs_and_bars_begin_at_whole_buckets() {
        let picked =
            Picked { hosts: vec!["a".to_owned(), "b'c".to_owned()], from_us: HOUR_US + 1, to_us: 2 * HOUR_US + 1 };
        let sql = Kind::SingleGroupBy { fields: 5, hosts: 8, hours: 1 }.sql(&picked);
        assert!(sql.contains("max(usage_iowait) AS max_usage_iowait FROM cpu") && !sql.contains("usage_irq"), "{sql}");
        assert!(sql.contains("hostname IN ('a', 'b''c')"), "{sql}");
        assert!(sql.contains("time >= '1970-01-01 01:00:00.000001+00'"), "{sql}");
        let bars = Kind::MaxAll { hosts: 8 }.bars_sql(&picked).unwrap();
        assert!(bars.contains("max(usage_guest_nice_max)") && bars.contains("time >= '1970-01-01 01:00:00.000000+00'"));
        assert!(bars.contains("time < '1970-01-01 02:00:00.000000+00'"), "{bars}");
        let all = Kind::DoubleGroupBy { fields: 10 };
        assert!(all.sql(&picked).matches("avg(").count() == 10 && all.questions(&picked).len() == 10);
        assert!(!all.sql(&picked).contains("hostname IN"), "of all hosts");
        let window = Kind::MaxAll { hosts: 8 }.questions(&picked)[0].body.clone().unwrap();
        assert_eq!((&window["series"]["hostname"][1], &window["from"]), (&json!("b'c"), &json!(3_600_000)));
        assert!(
            Kind::OrderByLimit.questions(&picked).is_empty() && Kind::LastPoint.questions(&picked)[0].body.is_none()
        );
        assert_eq!(Kind::HighCpu { hosts: 1 }.bars_sql(&picked), None);
    }
}
