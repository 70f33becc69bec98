//! The real files: `tests/data/README.md` says where they are from.

use std::path::Path;

use super::*;

const DAY_US: i64 = 86_400_000_000;

fn data(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

fn roles(plan: &Plan) -> Vec<(&str, Role)> {
    csv(plan).mapping.columns.iter().map(|column| (column.name.as_str(), column.role)).collect()
}

#[test]
fn sp500_prices_are_a_series_a_column() {
    let options =
        LoadOptions { wide: Some(WideOptions::new("symbol", Some("close".into()))), ..LoadOptions::default() };
    let plan = Plan::infer(&data("sp500_prices.csv.gz"), &options).unwrap();
    let mapping = &csv(&plan).mapping;
    assert_eq!((mapping.measurement.as_str(), plan.compression), ("sp500_prices", crate::load::Compression::Gzip));
    assert_eq!(mapping.time.format, TimeFormat::Iso);
    assert_eq!(roles(&plan)[..2], [("Date", Role::Time), ("AAPL", Role::Series)]);
    assert_eq!(csv(&plan).notes, []);
    assert_eq!(csv(&plan).sample.series, 20);
    assert_eq!(plan.chunk_interval_us(), Some(364 * DAY_US));

    let census = census(&plan);
    assert_eq!(census.tally.rows + census.tally.empty, 8_313 * 20);
    assert_eq!((census.tally.rows, census.tally.refused, census.series), (166_260, 0, 20));
    assert_eq!(census.parts, 4, "2,500 records of 20 rows a part");
    assert_eq!(census.range_us, Some((631_238_400_000_000, 1_672_185_600_000_000)), "1990-01-02 to 2022-12-28");
    assert_eq!(census.chunk_interval_us, Some(364 * DAY_US));
    let rows = rows_of(&plan);
    assert_eq!(rows[0], "631238400 symbol=AAPL close=0.264");
    assert_eq!(rows[166_259], "1672185600 symbol=XOM close=106.627");
}

#[test]
fn sp500_prices_without_the_flag_are_planned_long_and_the_flag_is_suggested() {
    let plan = Plan::infer(&data("sp500_prices.csv.gz"), &LoadOptions::default()).unwrap();
    assert_eq!(csv(&plan).notes, [Note::LooksWide { columns: 20 }]);
    assert_eq!(csv(&plan).mapping.layout, Layout::Long);
    assert!(plan.to_string().contains("--wide-tag NAME"), "{plan}");
    assert_eq!(census(&plan).tally.rows, 8_313);
}

#[test]
fn stocks_are_tagged_by_ticker() {
    let plan = Plan::infer(&data("stocks_ohlcv.csv.gz"), &LoadOptions::default()).unwrap();
    let number = Role::Field(FieldKind::Number);
    assert_eq!(
        roles(&plan),
        [
            ("Ticker", Role::Tag),
            ("Date", Role::Time),
            ("Open", number),
            ("High", number),
            ("Low", number),
            ("Close", number),
            ("Volume", number),
            ("Adj Close", number)
        ]
    );
    assert_eq!(plan.chunk_interval_us(), Some(364 * DAY_US));
    let census = census(&plan);
    assert_eq!((census.tally.rows, census.tally.refused, census.tally.empty, census.series), (12_154, 0, 0, 5));
    assert_eq!(
        rows_of(&plan)[0],
        "951868800 Ticker=AAPL Open=118.56 High=132.06 Low=118.5 Close=130.31 Volume=9616100 Adj Close=4.186662803811"
    );
}

#[test]
fn a_buoy_without_tags_is_one_series() {
    let plan = Plan::infer(&data("sea_surface_temperature.csv.gz"), &LoadOptions::default()).unwrap();
    assert_eq!(roles(&plan), [("time (UTC)", Role::Time), ("temperature (celsius)", Role::Field(FieldKind::Number))]);
    assert_eq!(plan.chunk_interval_us(), Some(364 * DAY_US), "48 rows a day");
    let estimate = csv(&plan).sample.estimated_rows;
    assert!((12_000..40_000).contains(&estimate), "{estimate} estimated of 19,226");
    let census = census(&plan);
    assert_eq!((census.tally.rows, census.tally.refused, census.series), (19_226, 0, 1));
    assert_eq!(census.range_us, Some((1_455_494_400_000_000, 1_490_140_800_000_000)));
}

#[test]
fn the_shown_plan_says_what_was_inferred() {
    let plan = Plan::infer(&data("stocks_ohlcv.csv.gz"), &LoadOptions::default()).unwrap();
    let shown = plan.to_string();
    for expected in [
        "CSV, gzip, 294246 bytes",
        "measurement  stocks_ohlcv",
        "`Date` as YYYY-MM-DD",
        "UTC where no zone is written",
        "tags         `Ticker`",
        "`Adj Close` float8",
        "chunks       of 364 days",
        "2000-03-01T00:00:00Z",
        "130.31",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }
}

#[test]
fn progress_reaches_the_length_of_the_compressed_file() {
    let plan = Plan::infer(&data("stocks_ohlcv.csv.gz"), &LoadOptions::default()).unwrap();
    let mut last = 0;
    plan.dry_run(|progress| {
        assert!(progress.consumed_bytes() >= last && progress.consumed_bytes() <= progress.total_bytes);
        last = progress.consumed_bytes();
    })
    .unwrap();
    assert_eq!(last, plan.file_bytes);
}
