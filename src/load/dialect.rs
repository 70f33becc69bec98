//! What a file's name and first bytes say: its format, and what separates the cells.

use std::path::Path;

use super::{FileFormat, mapping::records, source::STANDARD_INPUT};
use crate::protocol::tsbs;

/// What may separate cells, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Records that the delimiter is chosen by.
const RECORDS: usize = 50;

/// The format by the file's name, else by its first line that is neither blank nor a comment.
pub(super) fn sniff_format(path: &Path, prefix: &[u8]) -> FileFormat {
    match ending(path).as_deref() {
        Some("csv" | "tsv") => FileFormat::Csv,
        Some("parquet" | "pq") => FileFormat::Parquet,
        Some("lp" | "line" | "influx") => FileFormat::LineProtocol,
        _ if is_tsbs(prefix) => FileFormat::Tsbs,
        _ => {
            let mut lines = prefix.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            match lines.find(|line| !line.is_empty() && !line.starts_with(b"#")) {
                Some(line) if is_line_protocol(line) => FileFormat::LineProtocol,
                _ => FileFormat::Csv,
            }
        }
    }
}

/// The measurement that a file's name gives: `sp500_prices.csv.gz` -> `sp500_prices`.
pub(super) fn measurement_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str().filter(|name| *name != STANDARD_INPUT)?;
    let plain = uncompressed(name);
    let stem = match plain.rsplit_once('.') {
        Some((stem, ending))
            if ["csv", "tsv", "txt", "lp", "parquet", "pq"].contains(&ending.to_ascii_lowercase().as_str()) =>
        {
            stem
        }
        _ => plain,
    };
    (!stem.is_empty()).then(|| stem.to_owned())
}

fn ending(path: &Path) -> Option<String> {
    let (_, ending) = uncompressed(path.file_name()?.to_str()?).rsplit_once('.')?;
    Some(ending.to_ascii_lowercase())
}

/// A file's name without the ending that says how it is compressed.
fn uncompressed(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if ["gz", "zst"].contains(&ending.to_ascii_lowercase().as_str()) => stem,
        _ => name,
    }
}

/// Whether a file's name says that it can be loaded.
pub(super) fn is_loadable(path: &Path) -> bool {
    matches!(ending(path).as_deref(), Some("csv" | "tsv" | "lp" | "line" | "influx" | "parquet" | "pq"))
}

/// A measurement with tags, then a space that no backslash escapes, then `field=` with neither space nor comma in the name:
/// a CSV header such as `time (UTC),x=y` has one.
fn is_line_protocol(line: &[u8]) -> bool {
    let space = (1..line.len()).find(|&at| line[at] == b' ' && line[at - 1] != b'\\');
    let Some(fields) = space.map(|space| line[space..].trim_ascii_start()) else { return false };
    let name = fields.split(|&byte| byte == b'=').next().unwrap_or_default();
    name.len() < fields.len() && !name.is_empty() && !name.iter().any(|byte| b" ,\"".contains(byte))
}

/// A head of TSBS's, and a row's tags behind it: a table may have a column `tags` too.
fn is_tsbs(prefix: &[u8]) -> bool {
    let rows = tsbs::head_bytes(prefix).and_then(|end| prefix.split_at_checked(end));
    rows.is_some_and(|(head, rows)| rows.starts_with(b"tags,") && tsbs::Head::parse(head).is_ok())
}

/// The delimiter that cuts the header into two cells or more, and the most of the first records into as many; a comma
/// where none does.
pub(super) fn sniff_delimiter(path: &Path, prefix: &[u8]) -> u8 {
    if ending(path).as_deref() == Some("tsv") {
        return b'\t';
    }
    let score = |delimiter: u8| {
        let mut reader = records(prefix, delimiter);
        let mut cells = reader.byte_records().map_while(Result::ok).take(RECORDS).map(|record| record.len());
        let header = cells.next().filter(|&columns| columns > 1)?;
        let (all, equal) = cells.fold((1, 1), |(all, equal), cells| (all + 1, equal + usize::from(cells == header)));
        Some((equal * 100 / all, header))
    };
    // Of equals `max_by_key` takes the last one.
    let best = DELIMITERS
        .into_iter()
        .rev()
        .filter_map(|delimiter| Some((score(delimiter)?, delimiter)))
        .max_by_key(|(s, _)| *s);
    best.map_or(b',', |(_, delimiter)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(name: &str, text: &str) -> FileFormat {
        sniff_format(Path::new(name), text.as_bytes())
    }

    #[test]
    fn the_format_is_told_by_name_and_else_by_the_first_line() {
        assert_eq!(format("a.csv", "m v=1 1"), FileFormat::Csv);
        assert_eq!(format("a.LP.gz", "time,v"), FileFormat::LineProtocol);
        assert_eq!(format("a.txt", "\n# comment\nticks,symbol=A\\ B price=1.5 1577836800"), FileFormat::LineProtocol);
        assert_eq!(format("a.txt", "time (UTC),x=y"), FileFormat::Csv);
        assert_eq!(format("a", "Date,Close\n2020-01-01,1"), FileFormat::Csv);
        let tsbs = "tags,hostname string\ncpu,usage_user\n\ntags,hostname=host_0\ncpu,0,1\n";
        assert_eq!(format("timescaledb-data.gz", tsbs), FileFormat::Tsbs);
        assert_eq!(format("a", "tags,time,v\nx,2020-01-01,1\n\ny,2020-01-02,2\n"), FileFormat::Csv);
    }

    #[test]
    fn the_delimiter_is_the_one_that_cuts_all_records_alike() {
        let delimiter = |text: &str| char::from(sniff_delimiter(Path::new("a.csv"), text.as_bytes()));
        assert_eq!(delimiter("time,v\n2020-01-01,1\n"), ',');
        assert_eq!(delimiter("time;v;w\n2020-01-01;1,5;2,5\n"), ';', "a decimal comma is in no header");
        assert_eq!(delimiter("time\tname, first\tv\n1\ta, b\t2\n"), '\t');
        assert_eq!(delimiter("time|v\n1|2\n"), '|');
        assert_eq!(delimiter("\"a;b\",c\n\"1;2\",3\n"), ',', "a delimiter in quotes is text");
        assert_eq!(delimiter("alone\n1\n"), ',');
        assert_eq!(sniff_delimiter(Path::new("a.tsv.gz"), b"a,b\n"), b'\t');
    }

    #[test]
    fn a_measurement_is_the_name_without_its_endings() {
        let name = |path: &str| measurement_of(Path::new(path));
        assert_eq!(name("/data/sp500_prices.csv.gz").as_deref(), Some("sp500_prices"));
        assert_eq!(name("a.b.TSV").as_deref(), Some("a.b"));
        assert_eq!(name("ticks.csv.ZST").as_deref(), Some("ticks"));
        assert_eq!(name("v1.2").as_deref(), Some("v1.2"));
        assert_eq!(name(".csv"), None);
    }
}
