//! Readings of temperature and humidity sensors.
//!
//! ```text
//! temperature = site + device + 4 cycle(time of the day) + drift      drift <- 0.95 drift + noise
//! humidity    = 55 - 1.8 (temperature - site) + noise, within 0 and 100
//! ```
//!
//! `cycle` is a day's wave between -1 and 1, lowest at 03:00 and highest at 15:00 UTC, made of two parabolas.

use super::{
    Feed, FeedError,
    decimal::{hundredths, push_hundredths, push_integer, push_line_end},
    noise::Noise,
    within,
};

const DAY_US: i64 = 86_400_000_000;
pub(super) const DEVICES_A_SITE: u32 = 20;

/// What sensors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SensorsOptions {
    /// Devices, up to 1,000,000; each 20 are at one site.
    pub devices: u32,
    /// Equal seeds give equal feeds.
    pub seed: u64,
}

impl Default for SensorsOptions {
    /// 200 devices at 10 sites.
    fn default() -> Self {
        Self { devices: 200, seed: 1 }
    }
}

/// A device's reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The device, from 0.
    pub device: u32,
    /// The site that it is at, from 0.
    pub site: u32,
    /// Degrees Celsius, in whole hundredths.
    pub temperature: f64,
    /// Per cent, in whole hundredths.
    pub humidity: f64,
}

/// Sensors that read one after the other, so that each reads at the same interval.
#[derive(Debug, Clone)]
pub struct Sensors {
    noise: Noise,
    next: u32,
    sites: Vec<f64>,
    devices: Vec<Device>,
}

#[derive(Debug, Clone, Copy)]
struct Device {
    offset: f64,
    drift: f64,
}

impl Sensors {
    /// Makes the sensors.
    ///
    /// # Errors
    /// [`FeedError::OutOfRange`] for no devices, or too many.
    pub fn new(options: SensorsOptions) -> Result<Self, FeedError> {
        let devices = within("devices", options.devices, 1_000_000)?;
        let mut noise = Noise::new(options.seed);
        let sites = (0..devices.div_ceil(DEVICES_A_SITE)).map(|_| noise.between(5.0, 25.0)).collect();
        let devices = (0..devices).map(|_| Device { offset: noise.normal(), drift: 0.0 }).collect();
        Ok(Self { noise, next: 0, sites, devices })
    }

    /// The next device's reading at `time_us` (microseconds since 1970 UTC).
    pub fn next_reading(&mut self, time_us: i64) -> Reading {
        let index = self.next as usize;
        let device = self.next;
        self.next = if index + 1 == self.devices.len() { 0 } else { device + 1 };
        let site = device / DEVICES_A_SITE;
        let base = self.sites[site as usize];
        let sensor = &mut self.devices[index];
        sensor.drift = 0.95 * sensor.drift + 0.1 * self.noise.normal();
        let warmth = sensor.offset + 4.0 * cycle(time_us) + sensor.drift;
        let humidity = (55.0 - 1.8 * warmth + self.noise.normal()).clamp(0.0, 100.0);
        let rounded = |value: f64| hundredths(value) as f64 / 100.0;
        Reading { device, site, temperature: rounded(base + warmth), humidity: rounded(humidity) }
    }

    /// Appends a reading as `sensors,device=dev7,site=site0 temperature=21.35,humidity=44.10 1577836800000000000` and a
    /// line break.
    pub fn write_reading(&self, reading: &Reading, time_us: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"sensors,device=dev");
        push_integer(out, reading.device);
        out.extend_from_slice(b",site=site");
        push_integer(out, reading.site);
        out.extend_from_slice(b" temperature=");
        push_hundredths(out, hundredths(reading.temperature));
        out.extend_from_slice(b",humidity=");
        push_hundredths(out, hundredths(reading.humidity));
        push_line_end(out, time_us);
    }
}

impl Feed for Sensors {
    fn write_next(&mut self, time_us: i64, out: &mut Vec<u8>) {
        let reading = self.next_reading(time_us);
        self.write_reading(&reading, time_us, out);
    }
}

/// The day's wave at a time.
pub(super) fn cycle(time_us: i64) -> f64 {
    // Through zero, rising, at 09:00; x runs from -1 to 1 over the day around it.
    let since_nine = (time_us.rem_euclid(DAY_US) - 9 * DAY_US / 24 + DAY_US / 2).rem_euclid(DAY_US) - DAY_US / 2;
    let x = since_nine as f64 / (DAY_US / 2) as f64;
    4.0 * x * (1.0 - x.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = DAY_US / 24;

    fn bytes(seed: u64) -> Vec<u8> {
        let mut sensors = Sensors::new(SensorsOptions { devices: 45, seed }).unwrap();
        let mut out = Vec::new();
        (0..1_000).for_each(|line| sensors.write_next(line * 60_000_000, &mut out));
        out
    }

    #[test]
    fn equal_seeds_give_equal_bytes_and_others_do_not() {
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn every_line_is_well_formed() {
        let out = bytes(3);
        let text = std::str::from_utf8(&out).unwrap();
        let lines: Vec<_> = influxdb_line_protocol::parse_lines(text).map(Result::unwrap).collect();
        assert_eq!(lines.len(), 1_000);
        assert_eq!(lines[44].tag_value("device").unwrap().as_str(), "dev44");
        assert_eq!(lines[44].tag_value("site").unwrap().as_str(), "site2");
        assert_eq!(lines[45].tag_value("device").unwrap().as_str(), "dev0");
        assert!(lines.iter().all(|line| line.field_set.len() == 2));
    }

    #[test]
    fn the_day_is_coldest_at_three_and_warmest_at_three() {
        assert_eq!((cycle(3 * HOUR_US), cycle(9 * HOUR_US), cycle(15 * HOUR_US)), (-1.0, 0.0, 1.0));
        assert_eq!(cycle(-9 * HOUR_US), cycle(15 * HOUR_US), "the same before 1970");
        let mut sensors = Sensors::new(SensorsOptions { devices: 1, seed: 1 }).unwrap();
        let mut mean_at = |hour: i64| -> f64 {
            (0..50).map(|day| sensors.next_reading(day * DAY_US + hour * HOUR_US).temperature).sum::<f64>() / 50.0
        };
        let (cold, warm) = (mean_at(3), mean_at(15));
        assert!((7.0..9.0).contains(&(warm - cold)), "{cold} {warm}");
    }

    #[test]
    fn humidity_falls_as_it_gets_warmer() {
        let mut sensors = Sensors::new(SensorsOptions { devices: 1, seed: 1 }).unwrap();
        let night = sensors.next_reading(3 * HOUR_US);
        let noon = sensors.next_reading(15 * HOUR_US);
        assert!(noon.temperature > night.temperature && noon.humidity < night.humidity);
    }
}
