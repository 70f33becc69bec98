//! Files as people and programs leave them.

use proptest::prelude::*;

use super::*;
use crate::protocol::Precision;

fn default_plan(name: &str, text: impl AsRef<[u8]>) -> Result<Plan, LoadError> {
    // The plan is all that these tests look at; its file is gone when they do.
    Written::new(name, text).plan(&LoadOptions::default())
}

fn refused(file: &Written) -> Vec<String> {
    census(&file.plan(&LoadOptions::default()).unwrap()).tally.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn files_without_rows_are_errors_that_say_so() {
    assert!(matches!(default_plan("a.csv", ""), Err(LoadError::Empty)));
    assert!(matches!(default_plan("a.csv", "\n \n"), Err(LoadError::Empty)));
    assert!(matches!(default_plan("a.csv", "time,v\n"), Err(LoadError::NoRows)));
    assert!(matches!(default_plan("a.csv.gz", gzip(b"")), Err(LoadError::Empty)));
    assert!(matches!(default_plan("a.csv", "2020-01-01,1\n2020-01-02,2\n"), Err(LoadError::NoHeader(_))));
    assert!(matches!(default_plan("a.csv", "1,2\n3,4\n"), Err(LoadError::NoHeader(_))));
}

#[test]
fn other_encodings_and_formats_are_named() {
    let utf16: Vec<u8> = "time,v\n2020-01-01,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(default_plan("a.csv", [&[0xff, 0xfe][..], &utf16].concat()), Err(LoadError::Encoding("UTF-16"))));
    assert!(matches!(default_plan("a.csv", &utf16), Err(LoadError::Encoding(_))), "without its mark");
    assert!(matches!(default_plan("a.csv.gz", gzip(&utf16)), Err(LoadError::Encoding(_))));
    assert!(matches!(default_plan("a.xlsx", b"PK\x03\x04rest"), Err(LoadError::UnsupportedFormat(_))));
    assert!(matches!(default_plan("a.parquet", b"PAR1rest"), Err(LoadError::Parquet { .. })));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_part_of_names_and_values() {
    let file = Written::new("a.csv", "\u{feff}time,name,v\r\n2020-01-01,x,1\r\n\r\n2020-01-02,y,2\r\n");
    let plan = file.plan(&LoadOptions::default()).unwrap();
    assert_eq!(rows_of(&plan), ["1577836800 name=x v=1", "1577923200 name=y v=2"]);
}

#[test]
fn ragged_rows_are_refused_with_their_line_and_the_rest_goes_on() {
    let file = Written::new("a.csv", "time,v,w\n2020-01-01,1,2\n2020-01-02,1\n\n2020-01-03,1,2,3\n2020-01-04,1,2,,\n");
    assert_eq!(
        refused(&file),
        ["line 3: the record has 2 cells, the header 3", "line 5: the record has 4 cells, the header 3"]
    );
    assert_eq!(census(&file.plan(&LoadOptions::default()).unwrap()).tally.rows, 2);
}

#[test]
fn a_bad_cell_refuses_its_row_with_line_column_and_name() {
    let file = Written::new(
        "a.csv",
        "time,v,name\n2020-01-01,1,\"a\nb\"\n2020-01-02,oops,x\nsoon,3,x\n2020-01-04,inf,x\n2020-01-05,5,x\n,6,x\n\
         2020-01-07,7,x\n2020-01-08,8,x\n2020-01-09,9,x\n",
    );
    let lines = [
        "line 4, column 2 (`v`): `oops` is not a number",
        "line 5, column 1 (`time`): `soon` is not a time in the format YYYY-MM-DD[THH:MM[:SS[.fff]]][zone]",
        "line 6, column 2 (`v`): `inf` is not a finite number",
        "line 8, column 1 (`time`): the time is missing",
    ];
    assert_eq!(refused(&file), lines);
    let strict = LoadOptions { bad_rows: BadRows::Stop, ..LoadOptions::default() };
    let stopped = file.plan(&strict).unwrap().dry_run(|_| {}).unwrap_err();
    assert!(matches!(&stopped, LoadError::BadRow(error) if error.line == 4), "{stopped}");
}

#[test]
fn missing_cells_are_absent_and_rows_of_nothing_are_counted() {
    let file = Written::new("a.csv", "time,name,v,ok\n2020-01-01,NA,NaN,true\n2020-01-02,,null,N/A\n2020-01-03,,3,\n");
    let plan = file.plan(&LoadOptions { tag_columns: Some(vec!["name".into()]), ..LoadOptions::default() }).unwrap();
    assert_eq!(rows_of(&plan), ["1577836800 name=NA v=NaN ok=Some(true)", "1578009600 name=- v=3 ok=None"]);
    assert_eq!(census(&plan).tally.empty, 1);
}

#[test]
fn a_bad_cell_of_a_wide_file_costs_only_itself() {
    let file = Written::new(
        "a.csv",
        "Date,A,B,C\n2020-01-01,1,,3\n2020-01-02,1,x,3\n2020-01-03,1,2,3\n2020-01-04,1,2,3\n2020-01-05,1,2,3\n",
    );
    let plan = file.plan(&wide("symbol")).unwrap();
    assert_eq!(
        rows_of(&plan)[..4],
        [
            "1577836800 symbol=A value=1",
            "1577836800 symbol=C value=3",
            "1577923200 symbol=A value=1",
            "1577923200 symbol=C value=3"
        ]
    );
    let tally = census(&plan).tally;
    assert_eq!((tally.rows, tally.empty, tally.refused), (13, 1, 1));
    assert_eq!(tally.errors[0].to_string(), "line 3, column 3 (`B`): `x` is not a number");
}

#[test]
fn a_wide_file_may_have_tags_and_must_not_have_other_text() {
    let file = Written::new("a.csv", "Date,exchange,A,B\n2020-01-01,N,1,2\n");
    assert!(matches!(file.plan(&wide("symbol")), Err(LoadError::TextInWide(column)) if column == "exchange"));
    let options = LoadOptions { tag_columns: Some(vec!["exchange".into()]), ..wide("symbol") };
    assert_eq!(
        rows_of(&file.plan(&options).unwrap()),
        ["1577836800 exchange=N symbol=A value=1", "1577836800 exchange=N symbol=B value=2"]
    );
    assert!(matches!(file.plan(&LoadOptions { wide: wide("exchange").wide, ..options }), Err(LoadError::SameName(_))));
}

#[test]
fn headers_that_cannot_be_told_apart_are_errors() {
    let twice = default_plan("a.csv", "time,v,w,v\n2020-01-01,1,2,3\n").unwrap_err();
    assert_eq!(twice.to_string(), "the header names `v` twice, in columns 2 and 4: rename one of them");
    let plan = default_plan("a.csv", ",v,\n2020-01-01,1,\n").unwrap();
    assert_eq!(csv(&plan).mapping.columns[0].role, Role::Time, "a table's index has no name");
    assert_eq!(csv(&plan).notes, [Note::Unnamed { column: 3 }]);
}

#[test]
fn dates_that_may_be_either_way_are_not_guessed() {
    let message = |text: &str| default_plan("a.csv", text).unwrap_err().to_string();
    let open = message("date,v\n01/02/2020,1\n03/04/2020,2\n");
    assert!(open.contains("--time-format '%m/%d/%Y' or --time-format '%d/%m/%Y'"), "{open}");
    let told = message("date,v\n01.02.2020 09:30,1\n13.04.2020 09:30,2\n");
    assert!(told.contains("--time-format '%d.%m.%Y %H:%M' (the only one"), "{told}");
    let file = Written::new("a.csv", "date,v\n01/02/2020,1\n");
    let options = LoadOptions { time_format: Some("%d/%m/%Y".into()), ..LoadOptions::default() };
    assert_eq!(rows_of(&file.plan(&options).unwrap()), ["1580515200 v=1"]);
}

#[test]
fn the_time_column_is_found_by_name_then_by_type() {
    let time = |text: &str| {
        default_plan("a.csv", text).map(|plan| csv(&plan).mapping.with_role(Role::Time).next().unwrap().1.to_owned())
    };
    assert_eq!(time("v,Timestamp [ms]\n1,1577836800000\n").unwrap(), "Timestamp [ms]");
    assert_eq!(time("when,v\n2020-01-01 09:30,1\n").unwrap(), "when");
    assert!(matches!(time("when,until,v\n2020-01-01,2020-01-02,1\n"), Err(LoadError::ManyTimeColumns(_))));
    assert!(matches!(time("a,b\n1,2\n"), Err(LoadError::NoTimeColumn(_))));
    assert!(matches!(time("Date,Time,v\n2020-01-01,09:30,1\n"), Err(LoadError::SplitTime { .. })));
    assert!(matches!(time("time,v\nyesterday,1\n"), Err(LoadError::UnknownTimeFormat { .. })));
    let file = Written::new("a.csv", "time,v\n2020-01-01,1\n");
    let options = LoadOptions { time_column: Some("Time".into()), ..LoadOptions::default() };
    assert!(matches!(file.plan(&options), Err(LoadError::UnknownColumn { .. })));
}

#[test]
fn whole_numbers_are_times_by_their_size() {
    for (cell, format) in [
        ("1577836800", TimeFormat::Unix(UnixUnit::Seconds)),
        ("1577836800000", TimeFormat::Unix(UnixUnit::Milliseconds)),
        ("1577836800000000", TimeFormat::Unix(UnixUnit::Microseconds)),
        ("1577836800000000000", TimeFormat::Unix(UnixUnit::Nanoseconds)),
        ("20200101", TimeFormat::Pattern(TimePattern::new("%Y%m%d").unwrap())),
    ] {
        let file = Written::new("a.csv", format!("ts,v\n{cell},1\n"));
        let plan = file.plan(&LoadOptions::default()).unwrap();
        assert_eq!(csv(&plan).mapping.time.format, format, "{cell}");
        assert_eq!(rows_of(&plan), ["1577836800 v=1"], "{cell}");
    }
}

#[test]
fn a_cell_over_a_mebibyte_is_refused_alone_and_a_record_without_end_stops_the_load() {
    let long = "x".repeat(1024 * 1024 + 1);
    let options = LoadOptions { tag_columns: Some(vec![]), ..LoadOptions::default() };
    let file = Written::new("a.csv", format!("time,name,v\n2020-01-01,a,1\n2020-01-02,{long},2\n2020-01-03,b,3\n"));
    let counted = census(&file.plan(&options).unwrap());
    assert_eq!(counted.tally.rows, 2);
    assert_eq!(
        counted.tally.errors[0].to_string(),
        "line 3, column 2 (`name`): the cell has 1048577 bytes, more than 1048576"
    );
    let open = format!("time,name,v\n2020-01-01,a,1\n2020-01-02,\"{}", "x\n".repeat(9 * 1024 * 1024));
    assert!(matches!(default_plan("a.csv", open), Err(LoadError::RecordTooLong { line: 3, .. })));
}

#[test]
fn text_that_is_not_utf8_refuses_its_row() {
    let file = Written::new("a.csv", b"time,city,v\n2020-01-01,Z\xfcrich,1\n2020-01-02,Bern,2\n");
    assert_eq!(refused(&file), ["line 2, column 2 (`city`): `Z\u{fffd}rich` is not UTF-8"]);
}

#[test]
fn notes_tell_what_may_be_meant_otherwise() {
    let rows: String = (0..200).map(|row| format!("2020-01-01,7,text {row},\"1,{row}\",\n")).collect();
    let plan = default_plan("a.csv", format!("time,sensor_id,comment,price,empty\n{rows}")).unwrap();
    let notes: Vec<String> = csv(&plan).notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 4, "{notes:#?}");
    for (note, column) in notes.iter().zip(["`sensor_id`", "`comment`", "`price`", "`empty`"]) {
        assert!(note.contains(column), "{note}");
    }
}

#[test]
fn text_columns_beside_named_tags_are_text_fields_and_further_times_are_times() {
    let file = Written::new("a.csv", "time,device,note,seen\n2020-01-01,7,hi,2020-01-01T00:00:01Z\n");
    let options = LoadOptions { tag_columns: Some(vec!["device".into()]), ..LoadOptions::default() };
    assert_eq!(
        rows_of(&file.plan(&options).unwrap()),
        ["1577836800 device=7 note=Some(\"hi\") seen=Some(1577836801000000)"]
    );
}

#[test]
fn a_zone_is_applied_to_times_without_one() {
    let file = Written::new("a.csv", "time,v\n2020-01-01 00:00,1\n");
    let options = LoadOptions { time_zone: Zone(chrono_tz::Tz::Europe__Zurich), ..LoadOptions::default() };
    assert_eq!(rows_of(&file.plan(&options).unwrap()), ["1577833200 v=1"]);
}

#[test]
fn a_damaged_gzip_file_is_an_error_and_one_of_several_members_is_read_whole() {
    let text = format!("time,v\n{}", "2020-01-01,1\n".repeat(200_000));
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let file = Written::new("a.csv.gz", [gzip(first), gzip(second)].concat());
    assert_eq!(census(&file.plan(&LoadOptions::default()).unwrap()).tally.rows, 200_000);
    let whole = gzip(text.as_bytes());
    let cut = Written::new("a.csv.gz", &whole[..whole.len() - 100]);
    let error = cut.plan(&LoadOptions::default()).and_then(|plan| plan.dry_run(|_| {})).unwrap_err();
    assert!(matches!(error, LoadError::Read { .. }), "{error}");
}

#[test]
fn zstd_is_undone_and_a_damaged_file_is_an_error() {
    let text = format!("time,v\n{}", "2020-01-01,1\n".repeat(200_000));
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let packed = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let plan = default_plan("a.csv.zst", [packed(first), packed(second)].concat()).unwrap();
    assert_eq!((plan.compression, csv(&plan).mapping.measurement.as_str()), (crate::load::Compression::Zstd, "a"));
    let file = Written::new("a.csv.zst", [packed(first), packed(second)].concat());
    assert_eq!(census(&file.plan(&LoadOptions::default()).unwrap()).tally.rows, 200_000);
    let whole = packed(text.as_bytes());
    let cut = Written::new("a.csv.zst", &whole[..whole.len() - 10]);
    let error = cut.plan(&LoadOptions::default()).and_then(|plan| plan.dry_run(|_| {})).unwrap_err();
    assert!(matches!(error, LoadError::Read { .. }), "{error}");
}

#[test]
fn a_time_format_finds_its_column_whatever_its_name() {
    let pattern = |text: &str| LoadOptions { time_format: Some(text.into()), ..LoadOptions::default() };
    let german = "Name,Wert,Tag\nA,1.5,31.01.2020\nB,2.5,01.02.2020\n";
    let plan = Written::new("a.csv", german).plan(&pattern("%d.%m.%Y")).unwrap();
    assert_eq!(csv(&plan).mapping.with_role(Role::Time).collect::<Vec<_>>(), [(2, "Tag")]);
    let two = "von,bis,v\n31.01.2020,01.02.2020,1\n";
    assert!(matches!(Written::new("a.csv", two).plan(&pattern("%d.%m.%Y")), Err(LoadError::ManyTimeColumns(_))));
    let named = "Datum,bis,v\n31.01.2020,01.02.2020,1\n";
    let plan = Written::new("a.csv", named).plan(&pattern("%d.%m.%Y")).unwrap();
    assert_eq!(csv(&plan).mapping.with_role(Role::Time).collect::<Vec<_>>(), [(0, "Datum")]);
    let none = Written::new("a.csv", "a,b\nx,1\n").plan(&pattern("%d.%m.%Y"));
    assert!(matches!(none, Err(LoadError::NoTimeColumn(_))));
}

#[test]
fn a_column_called_t_is_the_time_only_where_its_numbers_are_of_our_days() {
    let times = default_plan("a.csv", "t,v\n1577836800,1\n1577836801,2\n").unwrap();
    assert_eq!(csv(&times).mapping.with_role(Role::Time).collect::<Vec<_>>(), [(0, "t")]);
    assert!(matches!(default_plan("a.csv", "t,v\n21.5,1\n22.5,2\n"), Err(LoadError::NoTimeColumn(_))));
}

#[test]
fn options_for_csv_are_refused_for_line_protocol() {
    let file = Written::new("a.lp", "m v=1 1\n");
    let options = LoadOptions { time_column: Some("t".into()), ..LoadOptions::default() };
    assert!(matches!(file.plan(&options), Err(LoadError::OnlyForTables("--time-column"))));
    assert!(matches!(file.plan(&LoadOptions::default()).unwrap().content, PlannedContent::LineProtocol { .. }));
}

#[test]
fn what_the_ingest_path_would_refuse_in_every_row_is_refused_at_once() {
    let reserved = default_plan("a.csv", "Date,series_id,v\n2020-01-01,2,3\n");
    assert!(matches!(reserved, Err(LoadError::ReservedName(name)) if name == "series_id"));
    let long = format!("Date,{}\n2020-01-01,1\n", "x".repeat(2_000));
    assert!(matches!(default_plan("a.csv", &long), Err(LoadError::NameTooLong(_))));
    let many = |columns: usize| {
        let header: String = (0..columns).map(|column| format!(",c{column}")).collect();
        Written::new("a.csv", format!("Date{header}\n2020-01-01{}\n", ",1".repeat(columns)))
    };
    let error = many(1_025).plan(&LoadOptions::default()).unwrap_err();
    assert!(matches!(error, LoadError::TooManyColumns { what: "fields", count: 1_025, .. }), "{error}");
    assert_eq!(census(&many(60_000).plan(&wide("symbol")).unwrap()).series, 60_000);
    let tag = Written::new("a.csv", format!("time,name,v\n2020-01-01,{},1\n2020-01-01,b,1\n", "x".repeat(3_000)));
    assert_eq!(refused(&tag), ["line 2, column 2 (`name`): the cell has 3000 bytes, more than 2048"]);
}

#[test]
fn bad_lines_of_line_protocol_are_named_by_the_files_lines() {
    let good: String = (0..50_000).map(|row| format!("m,tag={} v={row} {row}\n", row % 7)).collect();
    let file = Written::new("a.lp", format!("{good}m v=oops 1\nm,tag=1 v=\"a\nb\" 99000000000\n"));
    let counted = census(&file.plan(&LoadOptions::default()).unwrap());
    assert_eq!((counted.tally.rows, counted.tally.refused, counted.series, counted.parts), (50_001, 1, 7, 2));
    assert_eq!(counted.range_us, Some((0, 99_000_000)));
    assert!(counted.tally.errors[0].to_string().starts_with("line 50001: column 5: this is no value"), "{counted:?}");
    let strict = LoadOptions { bad_rows: BadRows::Stop, ..LoadOptions::default() };
    let stopped = file.plan(&strict).unwrap().dry_run(|_| {}).unwrap_err();
    assert!(matches!(&stopped, LoadError::BadRow(error) if error.line == 50_001), "{stopped}");
    let file = Written::new("b.lp", "m v=1 1577836800\n");
    let seconds = LoadOptions { precision: Some(Precision::Seconds), ..LoadOptions::default() };
    let range_us = census(&file.plan(&seconds).unwrap()).range_us;
    assert_eq!(range_us, Some((1_577_836_800_000_000, 1_577_836_800_000_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the text: an error or a plan, and then every record is a row, empty, or refused; never a panic.
    #[test]
    fn no_text_makes_it_panic(text in "(time|a|\"|,|;|\n|\r|2020-01-0[1-9]|[0-9.]{1,4}| |é){0,60}") {
        for options in [LoadOptions::default(), wide("tag")] {
            if let Ok(plan) = Written::new("a.csv", format!("time,v\n{text}")).plan(&options) {
                prop_assert!(!plan.to_string().is_empty());
            }
        }
    }
}
