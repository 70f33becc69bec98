//! What was asked last, so that the next process makes it ready before somebody asks again.
//!
//! ```text
//! a question is answered -> AskedLast      in memory: last values by field, correlations from blocks by what they have in common
//! every half a minute, and at the end      -> a file in the folder of blocks, by a rename
//! a start -> the file                      -> last values and panels are made, one after another, while questions are answered
//! ```
//!
//! The file is of no more worth than the folder that it lies in: without it the first question takes longer.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{LatestAnswer, QueryError, Questions};
use crate::{
    block::replace,
    question::{CorrelateQuestion, TimeRange, Timestamp},
};

/// So many things are remembered.
const MOST: usize = 64;
/// So many correlations that differ in their ranges and selectors alone.
const MOST_OF_A_KIND: usize = 4;
/// How often what is remembered is written, if it has changed.
const EVERY: Duration = Duration::from_secs(30);
/// Making ready takes no longer than this in all.
const MOST_TIME: Duration = Duration::from_secs(120);

/// Something that was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Thing {
    /// The last values of a field.
    Latest { namespace: String, measurement: String, field: String },
    /// One series against many, from blocks.
    Correlation(Box<CorrelateQuestion>),
}

/// When it was asked last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    /// By this machine's clock, microseconds since 1970.
    asked_us: i64,
    thing: Thing,
}

/// What was asked last, the newest first.
#[derive(Debug, Default)]
pub(super) struct AskedLast(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    things: Vec<Remembered>,
    is_new: bool,
}

impl AskedLast {
    pub(super) fn note_latest(&self, namespace: &str, measurement: &str, field: &str) {
        let [namespace, measurement, field] = [namespace, measurement, field].map(str::to_owned);
        self.note(Thing::Latest { namespace, measurement, field }, now_us());
    }

    pub(super) fn note_correlation(&self, question: &CorrelateQuestion) {
        self.note(Thing::Correlation(Box::new(question.clone())), now_us());
    }

    fn note(&self, thing: Thing, asked_us: i64) {
        let mut known = self.lock();
        let things = &mut known.things;
        if let Some(first) = things.first_mut()
            && first.thing == thing
        {
            // Asked again and again: no reason to write.
            first.asked_us = asked_us;
            return;
        }
        let mut of_its_kind = 1;
        things.retain(|other| {
            let is_of_its_kind = match (&other.thing, &thing) {
                (Thing::Correlation(one), Thing::Correlation(other)) => one.shared() == other.shared(),
                _ => false,
            };
            of_its_kind += usize::from(is_of_its_kind);
            other.thing != thing && (!is_of_its_kind || of_its_kind <= MOST_OF_A_KIND)
        });
        things.insert(0, Remembered { asked_us, thing });
        things.truncate(MOST);
        known.is_new = true;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file if there is something new.
    fn save(&self, path: &Path) -> io::Result<()> {
        let things = {
            let mut known = self.lock();
            if !std::mem::take(&mut known.is_new) {
                return Ok(());
            }
            known.things.clone()
        };
        let saved = serde_json::to_vec(&things)
            .map_err(io::Error::from)
            .and_then(|json| replace(path, |file| file.write_all(&json)));
        if saved.is_err() {
            self.lock().is_new = true;
        }
        saved
    }

    /// What an earlier process was asked, newest first; nothing where that is not known.
    fn load(&self, path: &Path) -> Vec<Remembered> {
        let things: Vec<Remembered> =
            fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut known = self.lock();
        // What was asked in this process meanwhile is newer.
        known.things.extend(things.iter().take(MOST).cloned());
        known.things.truncate(MOST);
        things
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The question as it would be asked now: a range that went up to the moment of asking goes up to this one.
fn moved(question: &CorrelateQuestion, asked_us: i64, now_us: i64) -> CorrelateQuestion {
    let mut question = question.clone();
    let bucket_us = question.bucket.at_least_us();
    for TimeRange { to, .. } in &mut question.ranges {
        let ahead_us = to.us().saturating_sub(asked_us);
        if ahead_us >= -bucket_us
            && let Ok(later) = Timestamp::from_us(now_us.saturating_add(ahead_us))
        {
            *to = later.max(*to);
        }
    }
    question
}

impl Questions {
    /// Makes ready what an earlier process was asked last, as its file tells, and then keeps the file, until `stop` comes.
    /// `prepare` is run for last values that are ready, and may take long.
    ///
    /// One thing after another, each over one connection, for two minutes at most: questions that come meanwhile are
    /// answered, and wait for nothing but what they would have to make themselves. Without a file nothing is made ready or
    /// remembered.
    pub async fn recall(
        self: Arc<Self>,
        file: Option<PathBuf>,
        prepare: fn(&LatestAnswer),
        stop: impl Future<Output = ()>,
    ) {
        let Some(file) = file else { return };
        let mut stop = std::pin::pin!(stop);
        let things = self.asked.load(&file);
        let recalled = tokio::time::timeout(MOST_TIME, self.make_ready(&things, prepare));
        tokio::select! {
            () = &mut stop => {}
            recalled = recalled => if recalled.is_err() {
                tracing::info!("not all that was asked last is ready; the rest is made when it is asked");
            },
        }
        loop {
            let stopped = tokio::time::timeout(EVERY, &mut stop).await.is_ok();
            let (questions, to) = (Arc::clone(&self), file.clone());
            let saved = tokio::task::spawn_blocking(move || questions.asked.save(&to)).await;
            if let Err(error) = saved.unwrap_or_else(|error| Err(io::Error::other(error))) {
                tracing::debug!(error = %error, "what was asked last is not written; the next start begins cold");
            }
            if stopped {
                return;
            }
        }
    }

    async fn make_ready(&self, things: &[Remembered], prepare: fn(&LatestAnswer)) {
        for Remembered { asked_us, thing } in things {
            let (kind, made) = match thing {
                Thing::Latest { namespace, measurement, field } => {
                    if !self.latests.has_room() {
                        continue;
                    }
                    ("latest", self.ready_latest(namespace, measurement, field, prepare).await)
                }
                Thing::Correlation(question) => {
                    let question = moved(question, *asked_us, now_us());
                    ("correlate", Box::pin(self.make_panels(&question)).await)
                }
            };
            let outcome = match made {
                Ok(()) => "ready",
                Err(error) => {
                    // A measurement that is gone, say.
                    tracing::debug!(error = %error, "something that was asked last is not made ready");
                    "failed"
                }
            };
            metrics::counter!("chunkwise_recalled_total", "question" => kind, "outcome" => outcome).increment(1);
        }
        if !things.is_empty() {
            tracing::info!(things = things.len(), "what was asked last is ready");
        }
    }

    async fn ready_latest(
        &self,
        namespace: &str,
        measurement: &str,
        field: &str,
        prepare: fn(&LatestAnswer),
    ) -> Result<(), QueryError> {
        let answer = self.latest_now(namespace, measurement, field).await?;
        super::questions::blocking(move || prepare(&answer)).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(bucket: &str, to: &str) -> CorrelateQuestion {
        serde_json::from_value(json!({
            "measurement": "m", "field": "v", "bucket": bucket, "target": {"s": "a"},
            "ranges": [{"from": "2024-01-01T00:00:00Z", "to": to}],
        }))
        .unwrap()
    }

    fn things(asked: &AskedLast) -> Vec<Thing> {
        asked.lock().things.iter().map(|remembered| remembered.thing.clone()).collect()
    }

    #[test]
    fn the_newest_comes_first_and_one_kind_does_not_push_out_the_others() {
        let asked = AskedLast::default();
        asked.note_latest("public", "m", "v");
        for day in 2..20 {
            asked.note_correlation(&question("1m", &format!("2024-01-{day:02}T00:00:00Z")));
        }
        asked.note_correlation(&question("1h", "2024-01-02T00:00:00Z"));
        asked.note_latest("public", "m", "v");
        let all = things(&asked);
        assert_eq!(all.len(), 2 + MOST_OF_A_KIND);
        assert!(matches!(all[0], Thing::Latest { .. }));
        assert_eq!(all[2], Thing::Correlation(Box::new(question("1m", "2024-01-19T00:00:00Z"))));
        for n in 0..100 {
            asked.note_latest("public", &format!("m{n}"), "v");
        }
        assert_eq!(things(&asked).len(), MOST);
    }

    #[test]
    fn the_next_process_knows_it_and_nonsense_is_nothing() {
        let (folder, asked) = (tempfile::tempdir().unwrap(), AskedLast::default());
        let path = folder.path().join("asked");
        asked.note_correlation(&question("1m", "2024-01-02T00:00:00Z"));
        asked.save(&path).unwrap();
        fs::remove_file(&path).unwrap();
        asked.save(&path).unwrap();
        assert!(!path.exists(), "nothing is new");
        asked.note_latest("public", "m", "v");
        asked.save(&path).unwrap();
        let next = AskedLast::default();
        assert_eq!(next.load(&path).len(), 2);
        assert_eq!(things(&next), things(&asked));
        fs::write(&path, b"[{").unwrap();
        assert!(AskedLast::default().load(&path).is_empty());
        assert!(AskedLast::default().load(&folder.path().join("none")).is_empty());
        assert!(asked.save(&folder.path().join("no/folder")).is_ok(), "nothing is new");
        asked.note_latest("public", "m", "w");
        assert!(asked.save(&folder.path().join("no/folder")).is_err());
        assert!(asked.lock().is_new, "it is tried again");
    }

    #[test]
    fn a_range_up_to_now_goes_on_and_one_of_the_past_stays() {
        let us = |text: &str| text.parse::<Timestamp>().unwrap().us();
        let (asked, now) = (us("2024-01-02T00:00:30Z"), us("2024-01-02T01:00:30Z"));
        let to = |text: &str| moved(&question("1m", text), asked, now).ranges[0].to;
        assert_eq!(to("2024-01-02T00:00:00Z").us(), us("2024-01-02T01:00:00Z"));
        assert_eq!(to("2024-01-02T00:01:00Z").us(), us("2024-01-02T01:01:00Z"));
        assert_eq!(to("2024-01-01T12:00:00Z").us(), us("2024-01-01T12:00:00Z"));
    }
}
