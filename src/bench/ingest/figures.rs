//! The names of figures, and how they come about.

use crate::bench::{Better, Report, load::Measured, process::CpuSeconds, statistics::median};

/// Service and controls, round by round; ratios are of neighbours in time.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    service: Vec<f64>,
    many: Vec<f64>,
    ceiling: Vec<f64>,
    naive: Vec<f64>,
    cpu: Vec<(CpuSeconds, u64)>,
}

impl Rounds {
    pub(super) fn add(
        &mut self,
        service: &Measured,
        many: &Measured,
        ceiling: &Measured,
        naive: &Measured,
        cpu: Option<CpuSeconds>,
    ) {
        self.service.push(service.rows_per_second());
        self.many.push(many.rows_per_second());
        self.ceiling.push(ceiling.rows_per_second());
        self.naive.push(naive.rows_per_second());
        self.cpu.extend(cpu.map(|cpu| (cpu, service.rows)));
    }

    pub(super) fn report(&self, report: &mut Report) {
        let mut add = |name: &str, samples: Vec<f64>, unit, better| {
            report.add_samples(name, median(&samples), unit, better, samples);
        };
        let ratio =
            |own: &[f64], controls: &[f64]| own.iter().zip(controls).map(|(own, control)| own / control).collect();
        add("service_to_ceiling", ratio(&self.service, &self.ceiling), "ratio", Better::Higher);
        add("service_to_naive", ratio(&self.service, &self.naive), "ratio", Better::Higher);
        add("many_series_to_service", ratio(&self.many, &self.service), "ratio", Better::Higher);
        add("service_rate", self.service.clone(), "lines/s", Better::Higher);
        add("many_series_rate", self.many.clone(), "lines/s", Better::Higher);
        add("ceiling_rate", self.ceiling.clone(), "rows/s", Better::Higher);
        add("naive_rate", self.naive.clone(), "rows/s", Better::Higher);
        let each_million = |seconds: fn(&CpuSeconds) -> Option<f64>| -> Vec<f64> {
            self.cpu.iter().filter_map(|(cpu, rows)| Some(seconds(cpu)? * 1e6 / *rows as f64)).collect()
        };
        let unit = "CPU s/million lines";
        add("cpu_generator", each_million(|cpu| Some(cpu.generator)), unit, Better::Lower);
        add("cpu_service", each_million(|cpu| Some(cpu.service)), unit, Better::Lower);
        add("cpu_database", each_million(|cpu| cpu.database), unit, Better::Lower);
    }
}

/// A way in, and how it compares with HTTP; that is not compared with itself.
pub(super) fn way_in(name: &str, rates: Vec<f64>, ratios: Vec<f64>, report: &mut Report) {
    report.add_samples(format!("{name}_rate"), median(&rates), "lines/s", Better::Higher, rates);
    if !ratios.is_empty() {
        report.add_samples(format!("{name}_to_http"), median(&ratios), "ratio", Better::Higher, ratios);
    }
}

/// The median, the 99th percentile and the longest time to an acknowledgement.
pub(super) fn latency(name: &str, measured: &Measured, report: &mut Report) {
    for (quantile, label) in [(0.5, "p50"), (0.99, "p99"), (1.0, "max")] {
        report.add(format!("{name}_{label}"), measured.latency_ms(quantile), "ms", Better::Lower);
    }
}

/// The rate of each million rows of a long run, and whether it falls.
pub(super) fn steadiness(name: &str, measured: &Measured, report: &mut Report) {
    let slice_rows = 1_000_000.min(measured.rows / 10).max(1);
    let rates = measured.slices(slice_rows);
    report.add_slope(name, &rates, slice_rows);
    report.add_samples(format!("{name}_rate"), measured.rows_per_second(), "rows/s", Better::Higher, rates);
}
