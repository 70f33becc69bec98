//! The checks that need a connection.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{Connection, PgConnection};

use super::{Check, GIB, OLDEST_TIMESCALEDB, Verdict};
use crate::local::installation::{OLDEST_POSTGRESQL, new_enough};

/// Beyond this, questions with `now` in them and the sealing of chunks are off by what people notice.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);
/// What chunkwise's pools, an analyst and a backup need together.
const FEWEST_CONNECTIONS: i64 = 40;
const MIB: i64 = 1 << 20;

const SETTINGS: [&str; 10] = [
    "server_version_num",
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
    "timescaledb.license",
    "timescaledb.restoring",
    "timescaledb.telemetry_level",
];

/// Values as `SHOW` tells them; names that the server does not know are absent.
type Settings = HashMap<String, String>;

/// The extension as `pg_available_extensions` has it: the version of the files, and the installed one.
type Extension = Option<(Option<String>, Option<String>)>;

pub(super) async fn examine(connection: &mut PgConnection) -> Result<Vec<Check>, sqlx::Error> {
    let extension: Extension = sqlx::query_as(
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'timescaledb'",
    )
    .fetch_optional(&mut *connection)
    .await?;
    // The extension's own settings exist once its library is loaded, which the statement before has done.
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT name, current_setting(name, true) FROM unnest($1::text[]) AS name")
            .bind(SETTINGS.as_slice())
            .fetch_all(&mut *connection)
            .await?;
    let settings: Settings = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let (version, encoding): (String, String) =
        sqlx::query_as("SELECT current_setting('server_version'), current_setting('server_encoding')")
            .fetch_one(&mut *connection)
            .await?;
    let (buffers, wal): (i64, i64) = sqlx::query_as(
        "SELECT pg_size_bytes(current_setting('shared_buffers')), pg_size_bytes(current_setting('max_wal_size'))",
    )
    .fetch_one(&mut *connection)
    .await?;
    let offset = clock_offset(connection).await?;

    let mut checks = vec![postgresql(&settings, &version), timescaledb(&extension)];
    checks.extend(edition(&settings));
    checks.extend(restoring(&settings));
    checks.extend(["fsync", "full_page_writes", "synchronous_commit"].map(|name| durability(name, &settings)));
    checks.extend([shared_buffers(buffers), max_wal_size(wal), max_connections(&settings), utf8(&encoding)]);
    checks.push(clock(offset));
    checks.extend(telemetry(&settings));
    Ok(checks)
}

/// How far the database's clock is from this machine's, at the middle of a question and its answer. The quickest of a few tells best.
async fn clock_offset(connection: &mut PgConnection) -> Result<Duration, sqlx::Error> {
    let mut best: Option<(Duration, Duration)> = None;
    for _ in 0..3 {
        let asked = now();
        let (seconds,): (f64,) =
            sqlx::query_as("SELECT extract(epoch FROM clock_timestamp())::float8").fetch_one(&mut *connection).await?;
        let took = now().saturating_sub(asked);
        // An impossible clock (before 1970) counts as 1970, which is far enough off to fail.
        let told = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let offset = told.abs_diff(asked + took / 2);
        if best.is_none_or(|(quickest, _)| took < quickest) {
            best = Some((took, offset));
        }
    }
    connection.ping().await?;
    Ok(best.map_or(Duration::ZERO, |(_, offset)| offset))
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn postgresql(settings: &Settings, version: &str) -> Check {
    let number: u32 = settings.get("server_version_num").and_then(|number| number.parse().ok()).unwrap_or(0);
    let verdict = if number / 10_000 >= OLDEST_POSTGRESQL { Verdict::Ok } else { Verdict::Fail };
    Check::judged("postgresql", verdict, version, format!("chunkwise needs PostgreSQL {OLDEST_POSTGRESQL} or newer"))
}

fn timescaledb(extension: &Extension) -> Check {
    let name = "timescaledb";
    let (major, minor) = OLDEST_TIMESCALEDB;
    match extension {
        Some((_, Some(installed))) if !new_enough(installed) => {
            let advice = format!(
                "chunkwise needs {major}.{minor} or newer: ALTER EXTENSION timescaledb UPDATE, after new packages"
            );
            Check::judged(name, Verdict::Fail, format!("{installed} installed"), advice)
        }
        Some((Some(files), Some(installed))) if files != installed => Check::judged(
            name,
            Verdict::Warn,
            format!("{installed} installed, {files} available"),
            "run ALTER EXTENSION timescaledb UPDATE as the first statement of a session",
        ),
        Some((_, Some(installed))) => Check::new(name, Verdict::Ok, format!("{installed} installed")),
        Some((Some(files), None)) => Check::judged(
            name,
            Verdict::Warn,
            format!("{files} available, not installed in this database"),
            "`chunkwise db migrate` installs it if its user may; else run CREATE EXTENSION timescaledb as a superuser",
        ),
        _ => Check::judged(
            name,
            Verdict::Fail,
            "not available on this server",
            "install TimescaleDB's packages there and add it to shared_preload_libraries, or use another server",
        ),
    }
}

fn edition(settings: &Settings) -> Option<Check> {
    let license = settings.get("timescaledb.license")?;
    let found = match license.as_str() {
        "timescale" => "Community edition: sealed chunks are compressed in the columnstore",
        "apache" => "Apache edition: sealed chunks stay rows, with indexes; no compression",
        other => other,
    };
    Some(Check::new("edition", Verdict::Info, found))
}

fn restoring(settings: &Settings) -> Option<Check> {
    let value = settings.get("timescaledb.restoring")?;
    let verdict = if value == "off" { Verdict::Ok } else { Verdict::Fail };
    let advice = "a restore was not finished: run SELECT timescaledb_post_restore()";
    Some(Check::judged("restoring", verdict, value, advice))
}

fn durability(name: &'static str, settings: &Settings) -> Check {
    let value = settings.get(name).map_or("unknown", String::as_str);
    let durable = match name {
        // The stronger ones wait for standbys as well.
        "synchronous_commit" => ["on", "remote_write", "remote_apply"].contains(&value),
        _ => value == "on",
    };
    let advice = format!("set {name} = on: without it, rows that were acknowledged can be lost in a crash");
    Check::judged(name, if durable { Verdict::Ok } else { Verdict::Fail }, value, advice)
}

fn shared_buffers(bytes: i64) -> Check {
    let verdict = if bytes >= 128 * MIB { Verdict::Ok } else { Verdict::Warn };
    Check::judged(
        "shared_buffers",
        verdict,
        format!("{} MiB", bytes / MIB),
        "a quarter of the server's memory is a good start",
    )
}

fn max_wal_size(bytes: i64) -> Check {
    let enough = u64::try_from(bytes).is_ok_and(|bytes| bytes >= 2 * GIB);
    let advice = "4 GB or more: a steady stream fills 1 GB in seconds, and each checkpoint costs throughput";
    let verdict = if enough { Verdict::Ok } else { Verdict::Warn };
    Check::judged("max_wal_size", verdict, format!("{} MiB", bytes / MIB), advice)
}

fn max_connections(settings: &Settings) -> Check {
    let count: i64 = settings.get("max_connections").and_then(|count| count.parse().ok()).unwrap_or(0);
    let verdict = if count >= FEWEST_CONNECTIONS { Verdict::Ok } else { Verdict::Warn };
    let advice = format!("at least {FEWEST_CONNECTIONS}, for chunkwise's pools, analysts and backups");
    Check::judged("max_connections", verdict, count.to_string(), advice)
}

fn utf8(encoding: &str) -> Check {
    let verdict = if encoding == "UTF8" { Verdict::Ok } else { Verdict::Fail };
    Check::judged("encoding", verdict, encoding, "make the database with ENCODING 'UTF8' TEMPLATE template0")
}

fn clock(offset: Duration) -> Check {
    let verdict = if offset < CLOCK_TOLERANCE { Verdict::Ok } else { Verdict::Warn };
    let found = format!("{:.3} s from this machine's", offset.as_secs_f64());
    Check::judged("clock", verdict, found, "let both machines keep time by NTP")
}

fn telemetry(settings: &Settings) -> Option<Check> {
    let value = settings.get("timescaledb.telemetry_level")?;
    let verdict = if value == "off" { Verdict::Ok } else { Verdict::Info };
    Some(Check::new("telemetry", verdict, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn versions_are_judged_by_number() {
        assert_eq!(postgresql(&settings(&[("server_version_num", "150004")]), "15.4").verdict, Verdict::Ok);
        assert_eq!(postgresql(&settings(&[("server_version_num", "140009")]), "14.9").verdict, Verdict::Fail);
        assert_eq!(postgresql(&settings(&[]), "?").verdict, Verdict::Fail);
    }

    #[test]
    fn the_extension_may_be_absent_idle_old_outdated_or_well() {
        let of = |files: Option<&str>, installed: Option<&str>| {
            timescaledb(&Some((files.map(str::to_owned), installed.map(str::to_owned)))).verdict
        };
        assert_eq!(timescaledb(&None).verdict, Verdict::Fail);
        assert_eq!(of(Some("2.19.3"), None), Verdict::Warn);
        assert_eq!(of(Some("2.17.0"), Some("2.17.0")), Verdict::Fail);
        assert_eq!(of(Some("2.20.0"), Some("2.19.3")), Verdict::Warn);
        assert_eq!(of(Some("2.19.3"), Some("2.19.3")), Verdict::Ok);
    }

    #[test]
    fn what_is_not_durable_fails() {
        for (name, value, verdict) in [
            ("fsync", "on", Verdict::Ok),
            ("fsync", "off", Verdict::Fail),
            ("full_page_writes", "off", Verdict::Fail),
            ("synchronous_commit", "local", Verdict::Fail),
            ("synchronous_commit", "remote_apply", Verdict::Ok),
        ] {
            assert_eq!(durability(name, &settings(&[(name, value)])).verdict, verdict, "{name} = {value}");
        }
        assert_eq!(durability("fsync", &settings(&[])).verdict, Verdict::Fail);
    }

    #[test]
    fn every_complaint_says_what_to_do() {
        let nothing = settings(&[("timescaledb.restoring", "on")]);
        let complaints = [
            postgresql(&nothing, "9.6"),
            timescaledb(&None),
            durability("fsync", &nothing),
            shared_buffers(0),
            max_wal_size(-1),
            max_connections(&nothing),
            utf8("SQL_ASCII"),
            clock(Duration::from_secs(2)),
        ];
        for check in complaints.into_iter().chain(restoring(&nothing)) {
            assert!(check.verdict >= Verdict::Warn && check.advice.is_some(), "{check:?}");
        }
    }
}
