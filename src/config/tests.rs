use std::{collections::BTreeSet, time::Duration};

use figment::{
    Figment,
    error::Kind,
    providers::{Format, Toml},
};

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn load(file: &str, environment: &[(&str, &str)], flags: Vec<Setting>) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chunkwise.toml");
    std::fs::write(&path, file).unwrap();
    Config::load(&ConfigFile::Named(path), variables(environment), flags)
}

fn message(file: &str, environment: &[(&str, &str)]) -> String {
    load(file, environment, Vec::new()).unwrap_err().to_string()
}

#[test]
fn nothing_given_means_the_defaults() {
    let config = Config::load(&ConfigFile::None, variables(&[("PATH", "/bin"), ("CHUNKWISE_TEST_PYTHON", "x")]), []);
    assert_eq!(config.unwrap(), Config::default());
    assert!(Config::default().validate().is_ok());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "namespace = 'a'\ndatabase.url = 'postgres://file/x'\nhttp.listen = '127.0.0.1:1'\nlog.level = 'warn'";
    let environment = [
        ("CHUNKWISE_DATABASE__URL", "postgres://own/x"),
        ("DATABASE_URL", "postgres://everybody/x"),
        ("CHUNKWISE_HTTP__LISTEN", "127.0.0.1:2"),
        ("CHUNKWISE_NAMESPACE", "b"),
        ("CHUNKWISE_HTTP__ALLOWED_HOSTS", "[\"one.example\", \"two.example\"]"),
        ("CHUNKWISE_INGEST__SAME_BODY_WITHIN", "off"),
        ("CHUNKWISE_QUESTION__TIME_LIMIT", "1d"),
    ];
    let config = load(file, &environment, vec![Setting::flag("--listen", "http.listen", "127.0.0.1:3")]).unwrap();
    assert_eq!(config.namespace, "b");
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.http.listen_addr().unwrap().port(), 3);
    assert_eq!(config.http.allowed_hosts, ["one.example", "two.example"]);
    assert_eq!(config.database.reader().unwrap().expose(), "postgres://own/x", "before DATABASE_URL");
    assert_eq!(config.ingest.same_body, SameBody::CountsAgain);
    assert_eq!(config.question.time_limit, Duration::from_secs(86_400));
    let config = load(file, &[("DATABASE_URL", "postgres://everybody/x")], Vec::new()).unwrap();
    assert_eq!(config.database.writer().unwrap().expose(), "postgres://everybody/x", "before the file");
}

#[test]
fn a_misspelt_key_is_named_with_its_file_and_what_was_meant() {
    let text = message("[http]\nlistn = '127.0.0.1:1'", &[]);
    assert!(text.contains("chunkwise.toml: there is no setting `http.listn`; did you mean `http.listen`?"), "{text}");
    let text = message("zzz = 1", &[]);
    assert!(text.contains("there are namespace, data_dir, database"), "{text}");
    let text = message("", &[("CHUNKWISE_INGEST__WRITER", "2")]);
    assert!(text.contains("the environment variable CHUNKWISE_INGEST__WRITER: "), "{text}");
    assert!(text.contains("did you mean `ingest.writers`"), "{text}");
}

#[test]
fn a_value_without_sense_is_named_with_its_origin() {
    let cases = [
        ("question.time_limit = '1mo'", "`question.time_limit`"),
        ("question.time_limit = '0s'", "`question.time_limit`"),
        ("ingest.writers = 0", "`ingest.writers`"),
        ("measurement.m.space_partitions = 1", "`measurement.m.space_partitions`"),
        ("ingest.max_fields = 1600", "`ingest.max_fields`"),
        ("http.listen = 'localhost'", "`http.listen`"),
        ("http.max_body_bytes = 100000000", "`http.max_decoded_body_bytes`"),
        ("http.allowed_hosts = ['https://x.example']", "`http.allowed_hosts`"),
        ("line_protocol.listen = 'localhost'", "`line_protocol.listen`"),
        ("opentsdb.max_connections = 0", "`opentsdb.max_connections`"),
        ("log.level = 'loud'", "`log.level`"),
        ("log.format = 'xml'", "`log.format`"),
        ("namespace = ''", "`namespace`"),
        ("database.url = 'host=db'", "`database.url`"),
    ];
    for (file, key) in cases {
        let text = message(file, &[]);
        assert!(text.contains(key) && text.contains("chunkwise.toml"), "{file}: {text}");
    }
    assert!(message("[http", &[]).contains("chunkwise.toml"));
    let text = message("", &[("DATABASE_URL", "mysql://u:hunter2@db/x")]);
    assert!(text.starts_with("the environment variable DATABASE_URL: `database.url`"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_named_file_must_exist() {
    let error = Config::load(&ConfigFile::Named("/nowhere/chunkwise.toml".into()), [], []).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
}

#[test]
fn listening_beyond_loopback_must_be_meant() {
    let config = load("http.listen = '0.0.0.0:8080'", &[], Vec::new()).unwrap();
    assert!(config.http.listen_addr().unwrap_err().reason.contains("--insecure-listen"));
    let flag = Setting::flag("--insecure-listen", "http.insecure_listen", true);
    assert!(load("http.listen = '0.0.0.0:8080'", &[], vec![flag]).unwrap().http.listen_addr().is_ok());
    assert!(load("http.listen = '[::1]:0'", &[], Vec::new()).unwrap().http.listen_addr().is_ok());
}

#[test]
fn listeners_beside_http_follow_the_same_rule_and_can_be_off() {
    let config = |file: &str| load(file, &[], Vec::new()).unwrap();
    let (wide, off) = (config("line_protocol.listen = '0.0.0.0:9009'"), config("opentsdb.listen = 'off'"));
    let refused = wide.line_protocol.listen_addr(wide.http.exposure).unwrap_err();
    assert!(refused.key == "line_protocol.listen" && refused.reason.contains("--insecure-listen"), "{refused}");
    assert!(wide.line_protocol.listen_addr(Exposure::Anywhere).unwrap().is_some());
    assert_eq!(off.opentsdb.listen_addr(off.http.exposure), Ok(None));
    assert_eq!(off.line_protocol.listen_addr(off.http.exposure).unwrap().unwrap().port(), 9009);
}

#[test]
fn a_bare_level_is_chunkwise_s_own() {
    let filter = |level: &str| LogConfig { level: level.to_owned(), format: LogFormat::Text }.filter().unwrap();
    let debug = filter("debug");
    assert!(debug.would_enable("chunkwise::ingest", &tracing::Level::DEBUG));
    assert!(!debug.would_enable("sqlx::query", &tracing::Level::INFO));
    assert!(filter("debug,sqlx=debug").would_enable("sqlx::query", &tracing::Level::DEBUG));
    assert!(!filter("error").would_enable("sqlx::query", &tracing::Level::WARN));
}

/// The commented example of the documentation.
fn documented() -> &'static str {
    let page = include_str!("../../docs/configuration.md");
    let (_, rest) = page.split_once("```toml\n").expect("the page has an example");
    rest.split_once("```").expect("the example ends").0
}

#[test]
fn the_documented_example_is_the_defaults() {
    assert_eq!(load(documented(), &[], Vec::new()).unwrap(), Config::default());
}

#[test]
fn the_documented_example_names_every_setting_and_no_other() {
    // Settings without a default stand there as `# key = value`.
    let complete: String = documented()
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|l| l.contains(" = ")).unwrap_or(line).to_owned() + "\n")
        .collect();
    load(&complete, &[], Vec::new()).unwrap();
    let documented: BTreeSet<String> =
        toml::from_str::<toml::Table>(&complete).unwrap().iter().flat_map(keys).collect();
    let sections =
        ["", "database", "http", "line_protocol", "opentsdb", "question", "blocks", "ingest", "chunk", "spool", "log"];
    let known: BTreeSet<String> =
        sections.into_iter().flat_map(known).filter(|key| !sections.contains(&&**key)).collect();
    assert_eq!(documented, known);
}

#[test]
fn the_documented_subscriptions_are_valid() {
    let page = include_str!("../../docs/configuration.md");
    let (_, rest) = page.split_once("```toml\n[[mqtt]]").expect("the page has subscriptions");
    let example = format!("[[mqtt]]{}", rest.split_once("```").expect("the example ends").0);
    let config = load(&example, &[], Vec::new()).unwrap();
    assert_eq!((config.mqtt.len(), config.source.len()), (2, 1));
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret") && !shown.contains("subscribe\\\""), "{shown}");
}

#[test]
fn a_subscription_without_sense_is_named() {
    const MQTT: &str = "[[mqtt]]\nurl = 'mqtt://h'\n";
    const MAPPING: &str = "mapping = { measurement = 'm', fields = { v = 'v' } }";
    let cases = [
        (format!("{MQTT}topics = []"), "`mqtt.0.topics`"),
        (format!("{MQTT}topics = ['a#']"), "`mqtt.0.topics`"),
        (format!("{MQTT}topics = ['a']\n{MQTT}topics = ['b']"), "`mqtt.1.client_id`"),
        (format!("{MQTT}topics = ['a']\npayload = 'json'"), "`mqtt.0.mapping`"),
        (format!("{MQTT}topics = ['a']\n{MAPPING}"), "`mqtt.0.mapping`"),
        (format!("{MQTT}topics = ['a']\ntopic_tags = 'a/{{b}}'"), "`mqtt.0.topic_tags`"),
        (format!("{MQTT}topics = ['a']\npayload = 'json'\ntopic_tags = 'a/b'\n{MAPPING}"), "`mqtt.0.topic_tags`"),
        (format!("{MQTT}topics = ['a']\npayload = 'json'\nprecision = 's'\n{MAPPING}"), "`mqtt.0.precision`"),
        (format!("{MQTT}topics = ['a']\nprecision = 'fortnight'"), "`mqtt.0.precision`"),
        (format!("{MQTT}topics = ['a']\nversion = '4'"), "`mqtt.0.version`"),
        (format!("{MQTT}topics = ['a']\npassword = 'x'"), "`mqtt.0.username`"),
        (format!("{MQTT}topics = ['a']\nnamespace = ''"), "`mqtt.0.namespace`"),
        (format!("{MQTT}topics = ['a']\nqos = 2"), "`mqtt.0.qos`"),
        ("[[mqtt]]\nurl = 'http://h'\ntopics = ['a']".to_owned(), "`mqtt.0.url`"),
        ("[[mqtt]]\nurl = 'mqtt://ann:hunter2@h'\ntopics = ['a']".to_owned(), "`mqtt.0.url`"),
        (format!("[[source]]\nurl = 'https://h/?token=hunter2'\n{MAPPING}"), "`source.0.url`"),
        (
            "[[source]]\nurl = 'ws://h'\nmapping = { measurement = 'm', fields = {} }".to_owned(),
            "`source.0.mapping.fields`",
        ),
    ];
    for (file, key) in cases {
        let text = message(&file, &[]);
        assert!(text.contains(key) && text.contains("chunkwise.toml"), "{file}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

fn keys((key, value): (&String, &toml::Value)) -> Vec<String> {
    match value {
        // Its own keys are names of measurements.
        toml::Value::Table(table) if key != "measurement" => {
            table.keys().map(|inner| format!("{key}.{inner}")).collect()
        }
        _ => vec![key.clone()],
    }
}

/// The keys of a section, from the error that names them all.
fn known(section: &str) -> Vec<String> {
    let within = |key: &str| if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    let probe = Figment::from(Toml::string(&format!("{} = 1", within("no_such_key"))));
    match probe.extract::<Config>().unwrap_err().kind {
        Kind::UnknownField(_, known) => known.iter().map(|key| within(key)).collect(),
        kind => panic!("{kind}"),
    }
}

#[test]
fn what_is_set_of_a_measurement_can_be_taken_back_and_is_checked() {
    let file =
        "[measurement.'adj close']\nretention = '30d'\n[measurement.m]\nretention = 'none'\nchunk_interval = 'auto'";
    let config = load(file, &[("CHUNKWISE_MEASUREMENT__M__SEAL_AFTER", "2h")], Vec::new()).unwrap();
    let days = Duration::from_secs(30 * 86_400);
    assert_eq!(config.measurement["adj close"].retention, Some(SetOrNot::For(days)));
    let m = config.measurement["m"].clone();
    assert_eq!((m.retention, m.chunk_interval), (Some(SetOrNot::Unset), Some(SetOrNot::Unset)));
    assert_eq!(m.seal_after, Some(SetOrNot::For(Duration::from_secs(7_200))));
    assert_eq!(config.measurement["adj close"].chunk_interval, None, "what is not named stays as it is");
    let page = include_str!("../../docs/configuration.md");
    let (_, rest) = page.split_once("```toml\n[measurement.ticks]").expect("the page has an example");
    let example = format!("[measurement.ticks]{}", rest.split_once("```").expect("the example ends").0);
    let ticks = load(&example, &[], Vec::new()).unwrap().measurement["ticks"].clone();
    assert!(ticks.retention.and(ticks.chunk_interval).and(ticks.seal_after).is_some());
    assert!(message("[measurement.m]\nretention = 'ever'", &[]).contains("or \"none\""));
    assert!(message("[measurement.m]\nchunk_interval = '1s'", &[]).contains("measurement.m.chunk_interval"));
    assert!(message("[measurement.m]\nretain = '1d'", &[]).contains("retention"));
}
