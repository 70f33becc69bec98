//! `bench all`: the options of each benchmark by size, and their reports as one.

use std::collections::BTreeMap;

use super::{
    ComputeBenchOptions, Environment, IngestBenchOptions, Plan, QueryBenchOptions, QuestionBenchOptions, Report,
    SteadinessBenchOptions, StorageBenchOptions,
};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchSize {
    /// Whether all of it runs, within some minutes: the figures say nothing.
    Quick,
    /// Under a quarter of an hour on 2 cores; 10 GB of disk.
    Laptop,
    /// Hours, and 200 million rows.
    Server,
}

/// The options of each benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllBenchOptions {
    /// `bench ingest`
    pub ingest: IngestBenchOptions,
    /// `bench steadiness`
    pub steadiness: SteadinessBenchOptions,
    /// The memory of its server, where it has one of its own, in megabytes.
    pub shared_buffers_mb: u32,
    /// `bench queries`
    pub queries: QueryBenchOptions,
    /// `bench correlation`
    pub correlation: QuestionBenchOptions,
    /// `bench correlation --from-blocks`
    pub computing: ComputeBenchOptions,
    /// `bench storage`
    pub storage: StorageBenchOptions,
}

impl AllBenchOptions {
    /// Those of a size.
    #[must_use]
    pub fn of(size: BenchSize) -> Self {
        match size {
            BenchSize::Quick => Self {
                ingest: IngestBenchOptions { rows: 20_000, many_series: 5_000, ..IngestBenchOptions::quick() },
                steadiness: SteadinessBenchOptions::quick(),
                shared_buffers_mb: 64,
                queries: QueryBenchOptions::quick(),
                correlation: QuestionBenchOptions {
                    series: 200,
                    buckets: 300,
                    questions: 5,
                    live_rows_per_second: 2_000,
                    further_chunks: 20,
                },
                computing: ComputeBenchOptions {
                    series: 60,
                    buckets: 100,
                    most_series: 60,
                    ..ComputeBenchOptions::quick()
                },
                storage: StorageBenchOptions { chunk_rows: 500_000, chunks: 3, ..StorageBenchOptions::quick() },
            },
            BenchSize::Laptop => Self {
                ingest: IngestBenchOptions { rounds: 4, ..IngestBenchOptions::quick() },
                steadiness: SteadinessBenchOptions { rows: 10_000_000, ..SteadinessBenchOptions::full() },
                shared_buffers_mb: 256,
                queries: QueryBenchOptions::laptop(),
                correlation: QuestionBenchOptions {
                    series: 10_000,
                    buckets: 1_000,
                    questions: 100,
                    live_rows_per_second: 100_000,
                    further_chunks: 100,
                },
                computing: ComputeBenchOptions {
                    series: 50_000,
                    most_series: 100_000,
                    most_buckets: 4_000,
                    rounds: 7,
                    ..ComputeBenchOptions::full()
                },
                storage: StorageBenchOptions::quick(),
            },
            BenchSize::Server => Self {
                ingest: IngestBenchOptions::full(),
                steadiness: SteadinessBenchOptions::full(),
                shared_buffers_mb: 256,
                queries: QueryBenchOptions::full(),
                correlation: QuestionBenchOptions::full(),
                computing: ComputeBenchOptions::full(),
                storage: StorageBenchOptions::full(),
            },
        }
    }
}

impl Report {
    /// Several benchmarks' reports as one: each figure's name begins with its benchmark's and a dot. The environment is the
    /// first one's; each benchmark's own is among the [parts](Self::parts).
    #[must_use]
    pub fn gather(reports: &[(&'static str, Self)]) -> Self {
        let first = reports.iter().map(|(_, report)| report.environment.clone());
        let mut all = Self::new(first.into_iter().next().unwrap_or_else(Environment::without_server));
        all.parts = reports
            .iter()
            .map(|(name, report)| ((*name).to_owned(), report.environment.clone()))
            .collect::<BTreeMap<_, _>>();
        for (name, report) in reports {
            for metric in &report.metrics {
                let mut metric = metric.clone();
                metric.name = format!("{name}.{}", metric.name);
                all.metrics.push(metric);
            }
            let plans =
                report.plans.iter().map(|plan| Plan { name: format!("{name}.{}", plan.name), plan: plan.plan.clone() });
            all.plans.extend(plans);
            all.published = all.published.or(report.published);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Better;

    #[test]
    fn figures_of_several_benchmarks_do_not_meet() {
        let mut one = Report::new(Environment { cpu: "one".to_owned(), ..Environment::default() });
        one.add("rate", 1.0, "rows/s", Better::Higher);
        let mut other = one.clone();
        other.environment.cpu = "other".to_owned();
        let all = Report::gather(&[("ingest", one), ("storage", other)]);
        assert!(all.metric("ingest.rate").is_some() && all.metric("storage.rate").is_some());
        assert_eq!((all.environment.cpu.as_str(), all.parts["storage"].cpu.as_str()), ("one", "other"));
    }
}
