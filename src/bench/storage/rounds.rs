//! What sealing and rollups cost ingestion, and whether they keep up with it.

use super::{
    stage::{Care, Stage},
    watch::Lags,
};
use crate::bench::{
    BenchError, Better, Report,
    control::Control,
    load::Measured,
    statistics::{median, trend},
};

/// Figures round by round; ratios are of neighbours in time.
#[derive(Debug, Default)]
struct Rounds {
    alone: Vec<f64>,
    naive: Vec<f64>,
    sealing: Vec<f64>,
    sealed_meanwhile: Vec<f64>,
    all_costs: Vec<f64>,
    half_alone: Vec<[f64; 3]>,
    half_whole: Vec<[f64; 3]>,
    lags: Lags,
    settled: Vec<f64>,
}

pub(super) async fn measure(
    stage: &mut Stage<'_>,
    tell: &(dyn Fn(&str) + Sync),
    report: &mut Report,
) -> Result<(), BenchError> {
    let mut rounds = Rounds::default();
    for round in 1..=stage.options.rounds {
        tell(&format!("round {round} of {}: ingestion alone, and the usual way", stage.options.rounds));
        let alone = rounds.alone(stage).await?;
        rounds.naive(stage).await?;
        tell("half of that rate, alone");
        rounds.half(stage, Care::Nothing, alone / 2.0).await?;
        tell("half of that rate, with sealing and rollups");
        rounds.half(stage, Care::SealingAndRollups, alone / 2.0).await?;
        tell("as fast as it goes, with sealing");
        rounds.sealing(stage).await?;
        tell("as fast as it goes, until everything is sealed and rolled up");
        rounds.all_costs(stage).await?;
    }
    rounds.report(stage, report);
    Ok(())
}

impl Rounds {
    async fn alone(&mut self, stage: &mut Stage<'_>) -> Result<f64, BenchError> {
        let (rows, chunk_rows) = (stage.long_passing_rows(), stage.small_chunk_rows());
        let service = stage.serve(Care::Nothing, chunk_rows).await?;
        let rate = stage.send(&service, rows).await?.rows_per_second();
        service.stop().await;
        stage.clear().await?;
        self.alone.push(rate);
        Ok(rate)
    }

    /// As many rows as where all is counted.
    async fn naive(&mut self, stage: &mut Stage<'_>) -> Result<(), BenchError> {
        let rows = stage.passing_rows();
        let first = stage.take_rows(rows);
        self.naive.push(stage.control(Control::Naive, first, rows).await?.rows_per_second());
        stage.clear().await
    }

    async fn half(&mut self, stage: &mut Stage<'_>, care: Care, rows_per_second: f64) -> Result<(), BenchError> {
        let (rows, chunk_rows) = (stage.passing_rows(), stage.small_chunk_rows());
        let service = stage.serve(care, chunk_rows).await?;
        let (measured, watch) = stage.send_at(&service, rows, rows_per_second).await?;
        if care == Care::Nothing {
            watch.end(&measured, chunk_rows).await?;
            self.half_alone.push(latencies(&measured));
        } else {
            let settled = stage.settle(rows / chunk_rows, rows).await?;
            let lags = watch.end(&measured, chunk_rows).await?;
            self.half_whole.push(latencies(&measured));
            self.lags.seal.extend(lags.seal);
            self.lags.rollup.extend(lags.rollup);
            self.settled.push(settled.as_secs_f64());
        }
        service.stop().await;
        stage.clear().await
    }

    async fn sealing(&mut self, stage: &mut Stage<'_>) -> Result<(), BenchError> {
        let (rows, chunk_rows) = (stage.long_passing_rows(), stage.small_chunk_rows());
        let service = stage.serve(Care::Sealing, chunk_rows).await?;
        let measured = stage.send(&service, rows).await?;
        self.sealed_meanwhile.push(stage.sealed().await? as f64);
        self.sealing.push(measured.rows_per_second());
        service.stop().await;
        stage.clear().await
    }

    /// From the first row to the last chunk sealed and the last bar made.
    async fn all_costs(&mut self, stage: &mut Stage<'_>) -> Result<(), BenchError> {
        let (rows, chunk_rows) = (stage.passing_rows(), stage.small_chunk_rows());
        let service = stage.serve(Care::SealingAndRollups, chunk_rows).await?;
        let measured = stage.send(&service, rows).await?;
        let settled = stage.settle(rows / chunk_rows, rows).await?;
        self.all_costs.push(rows as f64 / (measured.elapsed + settled).as_secs_f64());
        service.stop().await;
        stage.clear().await
    }

    fn report(&self, stage: &Stage<'_>, report: &mut Report) {
        let mut add = |name: &str, samples: Vec<f64>, unit, better| {
            report.add_samples(name, median(&samples), unit, better, samples);
        };
        let ratio =
            |own: &[f64], controls: &[f64]| own.iter().zip(controls).map(|(own, control)| own / control).collect();
        let quantile = |rounds: &[[f64; 3]], at: usize| rounds.iter().map(|round| round[at]).collect::<Vec<_>>();
        let p99 = ratio(&quantile(&self.half_whole, 1), &quantile(&self.half_alone, 1));
        add("all_costs_to_naive", ratio(&self.all_costs, &self.naive), "ratio", Better::Higher);
        add("sealing_to_alone", ratio(&self.sealing, &self.alone), "ratio", Better::Higher);
        add("half_rate_ack_p99_growth", p99, "ratio", Better::Lower);
        add("alone_rate", self.alone.clone(), "lines/s", Better::Higher);
        add("sealing_rate", self.sealing.clone(), "lines/s", Better::Higher);
        add("sealed_meanwhile", self.sealed_meanwhile.clone(), "chunks", Better::Higher);
        add("all_costs_rate", self.all_costs.clone(), "lines/s", Better::Higher);
        add("naive_rate", self.naive.clone(), "rows/s", Better::Higher);
        add("half_rate", self.alone.iter().map(|rate| rate / 2.0).collect(), "lines/s", Better::Higher);
        for (at, name) in ["p50", "p99", "max"].into_iter().enumerate() {
            let name = |whose: &str| format!("half_rate_{whose}_ack_{name}");
            add(&name("alone"), quantile(&self.half_alone, at), "ms", Better::Lower);
            add(&name("whole"), quantile(&self.half_whole, at), "ms", Better::Lower);
        }
        add("half_rate_settled_after", self.settled.clone(), "s", Better::Lower);
        let most = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
        add("half_rate_seal_lag", self.lags.seal.clone(), "s", Better::Lower);
        // A chunk more, so many seconds more: what keeps up has none.
        let slope = trend(&self.lags.seal).filter(|_| stage.options.rounds == 1).map(|trend| trend.slope);
        let mut add_one = |name: &str, value: f64, unit| report.add(name, value, unit, Better::Lower);
        add_one("half_rate_seal_lag_max", most(&self.lags.seal), "s");
        if let Some(slope) = slope {
            add_one("half_rate_seal_lag_slope", slope, "s/chunk");
        }
        let mut rollup = self.lags.rollup.clone();
        rollup.sort_by(f64::total_cmp);
        add_one("half_rate_rollup_lag", median(&rollup), "s");
        add_one("half_rate_rollup_lag_max", most(&rollup), "s");
    }
}

/// The median, the 99th percentile and the longest, in milliseconds.
fn latencies(measured: &Measured) -> [f64; 3] {
    [0.5, 0.99, 1.0].map(|quantile| measured.latency_ms(quantile))
}
