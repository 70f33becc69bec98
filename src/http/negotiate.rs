//! Which format an answer takes: `?format=`, else `Accept`, else JSON.

use axum::http::{HeaderMap, header::ACCEPT};

use super::error::ApiError;
use crate::format::Format;

/// Chooses a format among those that a question has.
///
/// `asked`, the value of `?format=`, wins over `Accept`. Without either, or with an `Accept` in which nothing is a
/// media type, it is the first of `offered`. Of an `Accept`, a format's quality is that of the most specific range that
/// matches it (RFC 9110, 12.5.1), and the greatest quality wins; of equals the one that was named more specifically,
/// so that `application/x-npy, */*` is npy; of those the earlier in `offered`.
///
/// # Errors
/// [`ApiError::NotAcceptable`] if none of `offered` is asked for.
pub fn negotiate(headers: &HeaderMap, asked: Option<&str>, offered: &'static [Format]) -> Result<Format, ApiError> {
    let refused = || ApiError::NotAcceptable { offered };
    if let Some(name) = asked {
        return name.parse().ok().filter(|format| offered.contains(format)).ok_or_else(refused);
    }
    let ranges: Vec<MediaRange<'_>> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(MediaRange::parse)
        .collect();
    if ranges.is_empty() {
        return offered.first().copied().ok_or_else(refused);
    }
    let mut best: Option<((u16, Specificity), Format)> = None;
    for &format in offered {
        let Some(range) = ranges.iter().filter(|range| range.matches(format)).max_by_key(|range| range.specificity())
        else {
            continue;
        };
        let rank = (range.quality, range.specificity());
        if range.quality > 0 && best.is_none_or(|(best, _)| rank > best) {
            best = Some((rank, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(refused)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Anything,
    Type,
    Exact,
}

/// One element of `Accept`, such as `text/*;q=0.5`.
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> MediaRange<'a> {
    /// `None` where the text is no media range or its quality is no number from 0 to 1; such an element is passed over.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let mut quality = 1_000;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.trim().eq_ignore_ascii_case("q") {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Self { kind, subtype, quality })
    }

    fn specificity(&self) -> Specificity {
        match (self.kind, self.subtype) {
            ("*", _) => Specificity::Anything,
            (_, "*") => Specificity::Type,
            _ => Specificity::Exact,
        }
    }

    fn matches(&self, format: Format) -> bool {
        let Some((kind, subtype)) = format.media_type().split_once('/') else { return false };
        match self.specificity() {
            Specificity::Anything => true,
            Specificity::Type => self.kind.eq_ignore_ascii_case(kind),
            Specificity::Exact => self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype),
        }
    }
}

/// Reads `0`, `1`, `0.5` or `0.333`; further digits are dropped.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let fraction = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Format] = &Format::ALL;
    const TABLES: &[Format] = &[Format::Json, Format::Arrow, Format::Csv];

    fn accept(values: &[&str], offered: &'static [Format]) -> Option<Format> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        negotiate(&headers, None, offered).ok()
    }

    #[test]
    fn without_a_wish_it_is_json() {
        for values in [&[][..], &["*/*"], &[""], &["application/*"], &["text/html, */*;q=0.8"], &["nonsense"]] {
            assert_eq!(accept(values, ALL), Some(Format::Json), "{values:?}");
        }
    }

    #[test]
    fn every_format_is_had_by_its_media_type() {
        for format in Format::ALL {
            assert_eq!(accept(&[format.media_type()], ALL), Some(format));
            assert_eq!(accept(&[&format.media_type().to_uppercase()], ALL), Some(format));
        }
        assert_eq!(accept(&["text/*"], ALL), Some(Format::Csv));
        assert_eq!(accept(&["text/csv; charset=utf-8; header=present"], ALL), Some(Format::Csv));
    }

    #[test]
    fn the_greatest_quality_wins_then_the_more_specific() {
        for (values, expected) in [
            (&["text/csv;q=0.5, application/x-npy;q=0.9, application/json;q=0.1"][..], Format::Npy),
            (&["text/csv;q=0.5", "application/x-npz"], Format::Npz),
            (&["application/x-npy, */*"], Format::Npy),
            (&["*/*, application/json;q=0"], Format::Npy),
            (&["application/*;q=0.9, application/json;q=0.2, text/csv;q=0.8"], Format::Npy),
            (&["text/csv;q=2, application/x-npy;q=0.1"], Format::Npy),
            (&["text/csv ; Q=0.333, application/x-npz;q=0.3"], Format::Csv),
        ] {
            assert_eq!(accept(values, ALL), Some(expected), "{values:?}");
        }
    }

    #[test]
    fn what_a_question_has_not_is_refused() {
        assert_eq!(accept(&["application/x-npy"], TABLES), None);
        assert_eq!(accept(&["text/html"], ALL), None);
        assert_eq!(accept(&["application/json;q=0"], ALL), None);
        assert_eq!(accept(&["application/x-npy, */*;q=0.1"], TABLES), Some(Format::Json));
    }

    #[test]
    fn the_parameter_wins_over_the_header() {
        let headers = HeaderMap::from_iter([(ACCEPT, "text/csv".parse().unwrap())]);
        assert_eq!(negotiate(&headers, Some("npy"), ALL).unwrap(), Format::Npy);
        for name in ["npy", "xml", "", "JSON"] {
            let error = negotiate(&headers, Some(name), TABLES).unwrap_err();
            assert_eq!(error.code(), "not_acceptable", "{name}");
        }
    }
}
