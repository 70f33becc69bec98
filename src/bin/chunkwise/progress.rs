//! Progress on standard error: bars on a terminal, log lines elsewhere.

use std::sync::Mutex;

use chunkwise::local::Step;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes, for a person who waits.
pub(crate) fn bytes_bar(total_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(total_bytes);
    bar.set_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"));
    bar
}

/// A bar over a file's bytes, with the rate of rows in its message.
pub(crate) fn rows_bar(total_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(total_bytes);
    bar.set_style(style("{wide_bar} {bytes}/{total_bytes} {msg} {eta}"));
    bar
}

/// What has come of a file that grows or of a pipe, whose end nobody knows.
pub(crate) fn endless_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(style("{spinner} {msg}"));
    bar
}

/// `1234567 rows, 250000 rows/s`
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
pub(crate) fn rate(rows: u64, elapsed: std::time::Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    format!("{rows} rows, {} rows/s", (rows as f64 / seconds) as u64)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a constant template")
}

/// Shows how the embedded server comes into being.
#[derive(Debug)]
pub(crate) struct StartProgress {
    bar: ProgressBar,
    /// The last thing said, so that a log gets one line a step and not one a packet.
    said: Mutex<&'static str>,
}

impl StartProgress {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self { bar, said: Mutex::new("") }
    }

    /// What the library calls with every step.
    pub(crate) fn callback(&self) -> impl Fn(Step) + Send + Sync {
        |step| self.show(step)
    }

    fn show(&self, step: Step) {
        let text = describe(step);
        match step {
            Step::Downloading { done_bytes, total_bytes, .. } => {
                self.bar.set_style(style("{msg} {bar:30} {bytes}/{total_bytes}"));
                self.bar.set_length(total_bytes);
                self.bar.set_position(done_bytes);
            }
            Step::Unpacking { done, total } => {
                self.bar.set_style(style("{msg} {bar:30} {pos}/{len}"));
                self.bar.set_length(total as u64);
                self.bar.set_position(done as u64);
            }
            _ => self.bar.set_style(style("{spinner} {msg}")),
        }
        self.bar.set_message(text);
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.bar.is_hidden() && *said != text {
            *said = text;
            tracing::info!("{text}");
        }
    }
}

impl Drop for StartProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn describe(step: Step) -> &'static str {
    match step {
        Step::WaitingForAnotherProcess => "waiting for another process that does the same",
        Step::ReadingPackageLists => "reading the lists of Debian's packages",
        Step::Downloading { .. } => "downloading PostgreSQL and TimescaleDB",
        Step::Unpacking { .. } => "unpacking PostgreSQL and TimescaleDB",
        Step::CreatingCluster => "creating the database cluster",
        Step::Starting => "starting the database",
        Step::WaitingForOldProcesses => "waiting for processes of a crashed database",
        _ => "preparing the database",
    }
}
