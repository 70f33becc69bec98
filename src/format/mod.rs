//! Answers as arrays -> bytes: JSON, npy, npz, Arrow and CSV, as the HTTP contract fixes them. No I/O.
//!
//! | format | window | correlate | listing of series |
//! |---|---|---|---|
//! | JSON | `times`, `series`, `values` | `target`, `ranges` with `results` | `series`, `next`, `total` |
//! | npy | float64 (series, buckets) | float64 (ranges, series): r | - |
//! | npz | `values`, `series_id`, `times` | `r`, `n`, `series_id`, `ranges` (ranges, 2) | - |
//! | Arrow, CSV | `series_id, <tags>, time, value`, or wide: `time`, one column a series | `range, series_id, <tags>, r, n, <stats>` | `series_id, <tags>, first, last` |
//!
//! | format | matrix | rolling | lag |
//! |---|---|---|---|
//! | JSON | `series`, `order`, `r`, `n`, or `pairs` | `times`, `results` | `lags`, `results` |
//! | npy | float64 (series, series): r | float64 (series, windows): r | float64 (series, lags): r |
//! | npz | `r`, `n`, `series_id`, `order` | `r`, `series_id`, `times` | `r`, `n`, `series_id`, `lags` |
//! | Arrow, CSV | pairs: `a_series_id, a_<tags>, b_series_id, b_<tags>, r, n` | - | - |
//!
//! A join of rows has the columns `<tags>, time, <left fields>, right_<field>, right_time, age_us` in JSON (`rows`, an object a
//! row), Arrow and CSV.
//!
//! What is missing, infinite or undefined is `null` in JSON, null in Arrow and an empty cell in CSV, and is left out of
//! the long form of a window; npy and npz hold the arrays as they are. Times are RFC 3339 in UTC with `Z` in JSON and
//! CSV, and microseconds since 1970 UTC elsewhere. Arrow and CSV have the same columns, which [`table`] lays out for
//! both. Every float64 is written so that it reads back as the same float64.

mod arrow;
mod asof;
mod bars;
mod columns;
mod csv;
mod json;
mod kinds;
mod media;
mod npy;
mod table;

#[cfg(test)]
mod tests;

pub use bars::{bars, latest};
pub use media::{Format, Layout, UnknownFormat, UnknownLayout};

use crate::query::{
    AllPairs, AsofAnswer, CorrelateAnswer, LagAnswer, MatrixAnswer, Overlaps, RollingAnswer, SeriesPage, StatColumn,
    WindowAnswer,
};

/// The greatest `top` of a question whose answer is npy or npz.
pub const MAX_RANKED_ARRAY: usize = 1_000;

/// Why an answer cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// This answer does not exist in this format.
    #[error("{answer} cannot be written as {format}")]
    NotOffered {
        /// Which answer.
        answer: &'static str,
        /// The format asked for.
        format: Format,
    },
    /// A question with a greater `top` than array formats have.
    #[error("with {format}, `top` is at most {MAX_RANKED_ARRAY}, not {top}: ask for fewer, or for json, arrow or csv")]
    TooManyRanked {
        /// The format asked for.
        format: Format,
        /// The question's `top`.
        top: usize,
    },
    /// The arrays of the answer do not fit together, which is a bug in what made it.
    #[error("`{array}` has the shape {found:?} where {expected:?} was due")]
    Shape {
        /// Which array.
        array: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that follows from the answer's series and times or ranges.
        expected: Vec<usize>,
    },
    /// Arrow's encoder failed.
    #[error("the answer cannot be written as Arrow")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// The CSV writer failed.
    #[error("the answer cannot be written as CSV")]
    Csv(#[from] ::csv::Error),
    /// The JSON writer failed.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The npy writer failed.
    #[error("the answer cannot be written as npy")]
    Npy(#[from] ndarray_npy::WriteNpyError),
    /// The npz writer failed, for example on an array of more than 4 GiB.
    #[error("the answer cannot be written as npz")]
    Npz(#[from] ndarray_npy::WriteNpzError),
}

/// Writes the answer to a window question; `layout` matters to Arrow and CSV only.
///
/// In JSON `receipt.ms.encode` is the time that the writing took up to the receipt, which is the last key.
///
/// # Errors
/// [`FormatError::NotOffered`] for npy and for wide tables where further aggregates were asked for: they have no place there;
/// [`FormatError::Shape`] unless the frame has a row for every series and a column for every time; what the format's
/// own writer says.
pub fn window(answer: &WindowAnswer, format: Format, layout: Layout) -> Result<Vec<u8>, FormatError> {
    let expected = [answer.rows.series.len(), answer.frame.times_us.len()];
    check_shape("values", answer.frame.values.shape(), &expected)?;
    for (aggregate, values) in &answer.also {
        check_shape(aggregate.name(), values.shape(), &expected)?;
    }
    check_window(!answer.also.is_empty(), format, layout)?;
    match format {
        Format::Json => json::window(answer),
        Format::Npy => npy::npy(&answer.frame.values),
        Format::Npz => npy::window_npz(answer),
        Format::Arrow => arrow::stream(table::window(answer, layout)),
        Format::Csv => csv::text(table::window(answer, layout)),
    }
}

/// Whether the answer to a window question exists so, with further aggregates or without.
///
/// # Errors
/// [`FormatError::NotOffered`].
pub fn check_window(has_also: bool, format: Format, layout: Layout) -> Result<(), FormatError> {
    let is_wide = layout == Layout::Wide && matches!(format, Format::Arrow | Format::Csv);
    if has_also && (format == Format::Npy || is_wide) {
        let answer = if is_wide { "a wide table of several aggregates" } else { "a window of several aggregates" };
        return Err(FormatError::NotOffered { answer, format });
    }
    Ok(())
}

/// Writes the answer to a correlate question, or to one about raw rows; `top` is the question's.
///
/// The stats are written in the order `p_value`, `ci95`, `q_value`, each once, whatever order they were asked in.
/// In JSON `receipt.ms.encode` is the time that the writing took up to the receipt, which is the last key.
///
/// # Errors
/// Those of [`check_top`]; [`FormatError::Shape`] unless every array is (ranges, series); what the format's own writer
/// says.
pub fn correlate(answer: &CorrelateAnswer, top: Option<usize>, format: Format) -> Result<Vec<u8>, FormatError> {
    check_top(top, format)?;
    let expected = [answer.ranges.len(), answer.rows.series.len()];
    check_shape("r", answer.r.shape(), &expected)?;
    check_shape("n", answer.n.shape(), &expected)?;
    for stat in &answer.stats {
        match stat {
            StatColumn::One(_, values) => check_shape("stats", values.shape(), &expected)?,
            StatColumn::Interval(low, high) => {
                check_shape("stats", low.shape(), &expected)?;
                check_shape("stats", high.shape(), &expected)?;
            }
        }
    }
    match format {
        Format::Json => json::correlate(answer),
        Format::Npy => npy::npy(&answer.r),
        Format::Npz => npy::correlate_npz(answer),
        Format::Arrow => arrow::stream(table::correlate(answer)),
        Format::Csv => csv::text(table::correlate(answer)),
    }
}

/// Writes the correlations of all pairs. The strongest pairs alone are no array, and exist as JSON, Arrow and CSV; a matrix
/// exists as JSON, npy and npz.
///
/// # Errors
/// [`FormatError::NotOffered`] for the others; [`FormatError::Shape`] unless both arrays are (series, series); what the
/// format's own writer says.
pub fn matrix(answer: &MatrixAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    let series = answer.rows.series.len();
    match &answer.pairs {
        AllPairs::Strongest(pairs) => match format {
            Format::Json => json::write(&kinds::Pairs::new(answer, pairs), pairs.len() * json::RESULT_BYTES),
            Format::Arrow => arrow::stream(kinds::pairs(answer, pairs)),
            Format::Csv => csv::text(kinds::pairs(answer, pairs)),
            Format::Npy | Format::Npz => Err(FormatError::NotOffered { answer: "a list of pairs", format }),
        },
        AllPairs::Matrix { r, n, order } => {
            check_shape("r", r.shape(), &[series, series])?;
            if let Overlaps::Each(n) = n {
                check_shape("n", n.shape(), &[series, series])?;
            }
            match format {
                Format::Json => json::write(&kinds::Matrix::new(answer, r, n, order), r.len() * 2 * json::NUMBER_BYTES),
                Format::Npy => Ok(npy::widened(r)),
                Format::Npz => npy::matrix_npz(&answer.rows, r, n, order),
                Format::Arrow | Format::Csv => Err(FormatError::NotOffered { answer: "a matrix", format }),
            }
        }
    }
}

/// Writes correlations over windows that move.
///
/// # Errors
/// [`FormatError::NotOffered`] for Arrow and CSV; [`FormatError::Shape`] unless r is (series, windows); what the format's own
/// writer says.
pub fn rolling(answer: &RollingAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    check_shape("r", answer.r.shape(), &[answer.rows.series.len(), answer.times_us.len()])?;
    match format {
        Format::Json => json::write(&kinds::Rolling::new(answer), answer.r.len() * json::NUMBER_BYTES),
        Format::Npy => npy::npy(&answer.r),
        Format::Npz => npy::rolling_npz(answer),
        Format::Arrow | Format::Csv => Err(FormatError::NotOffered { answer: "a rolling correlation", format }),
    }
}

/// Writes correlations by lag.
///
/// # Errors
/// [`FormatError::NotOffered`] for Arrow and CSV; [`FormatError::Shape`] unless both arrays are (series, lags); what the
/// format's own writer says.
pub fn lag(answer: &LagAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    let expected = [answer.rows.series.len(), answer.lags.len()];
    check_shape("r", answer.r.shape(), &expected)?;
    check_shape("n", answer.n.shape(), &expected)?;
    match format {
        Format::Json => json::write(&kinds::Lag::new(answer), answer.r.len() * json::NUMBER_BYTES),
        Format::Npy => npy::npy(&answer.r),
        Format::Npz => npy::lag_npz(answer),
        Format::Arrow | Format::Csv => Err(FormatError::NotOffered { answer: "correlations by lag", format }),
    }
}

/// Writes a page of a measurement's series.
///
/// # Errors
/// [`FormatError::NotOffered`] for npy and npz; what the format's own writer says.
pub fn series_list(page: &SeriesPage, format: Format) -> Result<Vec<u8>, FormatError> {
    match format {
        Format::Json => json::series_list(page),
        Format::Npy | Format::Npz => Err(FormatError::NotOffered { answer: "a list of series", format }),
        Format::Arrow => arrow::stream(table::series_list(page)),
        Format::Csv => csv::text(table::series_list(page)),
    }
}

/// Writes joined rows.
///
/// # Errors
/// [`FormatError::NotOffered`] for npy and npz: they hold no times beside values; what the format's own writer says.
pub fn asof(answer: &AsofAnswer, format: Format) -> Result<Vec<u8>, FormatError> {
    match format {
        Format::Json => json::asof(answer),
        Format::Npy | Format::Npz => Err(FormatError::NotOffered { answer: "a join of rows", format }),
        Format::Arrow => arrow::stream(asof::table(answer)),
        Format::Csv => csv::text(asof::table(answer)),
    }
}

/// Whether a question with this `top` can be answered in this format; to be asked before any work is done.
///
/// # Errors
/// [`FormatError::TooManyRanked`] for npy and npz with more than [`MAX_RANKED_ARRAY`].
pub fn check_top(top: Option<usize>, format: Format) -> Result<(), FormatError> {
    match (top, format) {
        (Some(top), Format::Npy | Format::Npz) if top > MAX_RANKED_ARRAY => {
            Err(FormatError::TooManyRanked { format, top })
        }
        _ => Ok(()),
    }
}

fn check_shape(array: &'static str, found: &[usize], expected: &[usize]) -> Result<(), FormatError> {
    if found == expected {
        return Ok(());
    }
    Err(FormatError::Shape { array, found: found.to_vec(), expected: expected.to_vec() })
}
