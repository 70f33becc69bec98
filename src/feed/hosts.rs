//! Processors of hosts, as the use case `cpu-only` of TSBS (the Time Series Benchmark Suite) has them.
//!
//! Ten tags name a host. Ten values from 0 to 100 begin anywhere, step by the standard normal distribution from one time to the
//! next, stop at both ends, and are written as integers. At each time every host has a line, in the hosts' order.

use super::{FeedError, noise::Noise, within};

/// The measurement.
const MEASUREMENT: &str = "cpu";

const FIELDS: [&str; 10] = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];

/// Regions, each with the letters of its data centres.
const REGIONS: [(&str, &[u8]); 9] = [
    ("us-east-1", b"abce"),
    ("us-west-1", b"ab"),
    ("us-west-2", b"abc"),
    ("eu-west-1", b"abc"),
    ("eu-central-1", b"ab"),
    ("ap-southeast-1", b"ab"),
    ("ap-southeast-2", b"ab"),
    ("ap-northeast-1", b"ac"),
    ("sa-east-1", b"abc"),
];

/// What hosts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostsOptions {
    /// Hosts, up to 1,000,000.
    pub hosts: u32,
    /// Equal seeds give equal feeds.
    pub seed: u64,
}

/// Hosts, one after the other.
#[derive(Debug, Clone)]
pub struct Hosts {
    noise: Noise,
    hosts: Vec<Host>,
    next: usize,
}

#[derive(Debug, Clone)]
struct Host {
    /// The line before its values.
    head: String,
    values: [f64; FIELDS.len()],
}

impl Hosts {
    /// The fields of each line.
    pub const FIELDS: [&'static str; FIELDS.len()] = FIELDS;

    /// Makes the hosts.
    ///
    /// # Errors
    /// [`FeedError::OutOfRange`] for no hosts, or too many.
    pub fn new(options: HostsOptions) -> Result<Self, FeedError> {
        let count = within("hosts", options.hosts, 1_000_000)?;
        let mut noise = Noise::new(options.seed);
        let hosts = (0..count)
            .map(|number| {
                let mut below = |limit: usize| noise.below(u32::try_from(limit).unwrap_or(1)) as usize;
                let (region, centres) = REGIONS[below(REGIONS.len())];
                let centre = char::from(centres[below(centres.len())]);
                let head = format!(
                    "{MEASUREMENT},hostname=host_{number},region={region},datacenter={region}{centre},rack={},os={},arch={},\
                     team={},service={},service_version={},service_environment={} ",
                    below(100),
                    ["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"][below(3)],
                    ["x64", "x86"][below(2)],
                    ["SF", "NYC", "LON", "CHI"][below(4)],
                    below(20),
                    below(2),
                    ["production", "staging", "test"][below(3)],
                );
                Host { head, values: FIELDS.map(|_| noise.between(0.0, 100.0)) }
            })
            .collect();
        Ok(Self { noise, hosts, next: 0 })
    }

    /// How many hosts there are: so many lines are of one time.
    #[must_use]
    pub fn count(&self) -> usize {
        self.hosts.len()
    }

    /// Appends the next line of line protocol, with its line break, of that time in nanoseconds; says where the time begins.
    pub fn write_next(&mut self, time_ns: i64, out: &mut Vec<u8>) -> usize {
        let host = &mut self.hosts[self.next];
        let mut line = host.head.clone();
        for (at, (name, value)) in FIELDS.iter().zip(&mut host.values).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            line.push_str(&format!("{comma}{name}={:.0}i", value.floor()));
            *value = (*value + self.noise.normal()).clamp(0.0, 100.0);
        }
        line.push(' ');
        out.extend_from_slice(line.as_bytes());
        let time = out.len();
        out.extend_from_slice(format!("{time_ns}\n").as_bytes());
        self.next = (self.next + 1) % self.hosts.len();
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_a_line_a_time_and_its_values_walk_within_0_and_100() {
        let mut hosts = Hosts::new(HostsOptions { hosts: 3, seed: 1 }).unwrap();
        let mut bytes = Vec::new();
        for line in 0..3_000 {
            let at = hosts.write_next(i64::from(line / 3), &mut bytes);
            assert!(bytes[at..].starts_with((line / 3).to_string().as_bytes()));
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        // The first value of each line.
        let mut values: Vec<f64> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let parts: Vec<&str> = line.split(' ').collect();
            let [series, fields, _] = parts[..] else { panic!("{line}") };
            assert!(series.starts_with(&format!("cpu,hostname=host_{},region=", at % 3)), "{line}");
            assert_eq!((series.matches('=').count(), fields.matches('=').count()), (10, 10), "{line}");
            let (first, _) = fields.strip_prefix("usage_user=").unwrap().split_once("i,usage_system=").unwrap();
            values.push(first.parse().unwrap());
        }
        assert_eq!(values.len(), 3_000);
        let mut seen = [f64::MAX, f64::MIN];
        for (at, &value) in values.iter().enumerate() {
            assert!((0.0..=100.0).contains(&value));
            if let Some(before) = at.checked_sub(3) {
                assert!((value - values[before]).abs() <= 5.0, "a step is small");
            }
            seen = [seen[0].min(value), seen[1].max(value)];
        }
        assert!(seen[1] - seen[0] > 20.0, "{seen:?}");
        let mut again = Vec::new();
        let mut same = Hosts::new(HostsOptions { hosts: 3, seed: 1 }).unwrap();
        (0..3_000).for_each(|line| _ = same.write_next(i64::from(line / 3), &mut again));
        assert_eq!(bytes, again);
        assert!(Hosts::new(HostsOptions { hosts: 0, seed: 1 }).is_err());
    }
}
