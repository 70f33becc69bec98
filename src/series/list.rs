//! Pages of a measurement's series, with the time that each covers.

use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{
    extent::{self, End},
    select::{SelectError, TaggedSeries, awake, decode, push_selector, select_columns, tag_names},
};
use crate::{
    hypertable::{Measurement, list_chunks, quote_ident},
    question::Selector,
};

/// The most series of a page.
pub const MAX_PAGE: u32 = 10_000;

/// Which series to list.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Only series of which a word of a tag starts with this, in upper or lower case.
    pub search: Option<String>,
    /// Only series that this matches.
    pub selector: Selector,
    /// Only series with a greater id.
    pub after: Option<i64>,
    /// At most so many; [`MAX_PAGE`] if it is more than that.
    pub limit: u32,
}

/// A series and the time that it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSeries {
    /// Its id, and its tags in the page's order of names.
    pub series: TaggedSeries,
    /// The time of its first row, microseconds since 1970 UTC; `None` where it has none.
    pub first_us: Option<i64>,
    /// The time of its last row, likewise.
    pub last_us: Option<i64>,
}

/// A page of a measurement's series, ascending by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesPage {
    /// The measurement's tags, in order of arrival.
    pub tag_names: Vec<String>,
    /// The series.
    pub rows: Vec<ListedSeries>,
    /// The `after` of the next page; `None` on the last.
    pub next: Option<i64>,
    /// How many series match over all pages.
    pub total: u64,
}

/// Reads a page of a measurement's series.
///
/// # Errors
/// [`SelectError::UnknownTag`], or the database's.
pub async fn list(
    connection: &mut PgConnection,
    measurement: &Measurement,
    request: &PageRequest,
) -> Result<SeriesPage, SelectError> {
    let mut count = QueryBuilder::new(format!("SELECT count(*) FROM {} WHERE true", measurement.series_table()));
    count.push(awake(measurement));
    push_selector(&mut count, measurement, &request.selector)?;
    push_search(&mut count, measurement, request.search.as_deref());
    let total: i64 = count.build_query_scalar().fetch_one(&mut *connection).await?;

    let limit = request.limit.clamp(1, MAX_PAGE);
    let mut page = QueryBuilder::new(select_columns(measurement));
    page.push(awake(measurement));
    push_selector(&mut page, measurement, &request.selector)?;
    push_search(&mut page, measurement, request.search.as_deref());
    if let Some(after) = request.after {
        page.push(" AND series_id > ").push_bind(after);
    }
    page.push(" ORDER BY series_id LIMIT ").push_bind(i64::from(limit) + 1);
    let found = page.build().fetch_all(&mut *connection).await?;
    let more = found.len() > limit as usize;
    let series: Vec<_> =
        found.iter().take(limit as usize).map(|row| decode(row, measurement)).collect::<Result<_, _>>()?;

    let ids: Vec<i64> = series.iter().map(|series| series.series_id).collect();
    let mut chunks = list_chunks(connection, measurement).await?;
    chunks.dedup_by_key(|chunk| (chunk.from_us, chunk.to_us));
    let first = extent::find(connection, measurement, &chunks, &ids, End::First).await?;
    let last = extent::find(connection, measurement, &chunks, &ids, End::Last).await?;
    let rows = series
        .into_iter()
        .map(|series| ListedSeries {
            first_us: first.get(&series.series_id).copied(),
            last_us: last.get(&series.series_id).copied(),
            series,
        })
        .collect();
    Ok(SeriesPage {
        tag_names: tag_names(measurement),
        rows,
        next: ids.last().copied().filter(|_| more),
        total: u64::try_from(total).unwrap_or(0),
    })
}

fn push_search(query: &mut QueryBuilder<'_, Postgres>, measurement: &Measurement, search: Option<&str>) {
    let Some(search) = search.filter(|search| !search.is_empty()) else { return };
    if search.contains('\0') {
        query.push(" AND false");
        return;
    }
    let pattern = starts_a_word(search);
    query.push(" AND (false");
    for tag in &measurement.tags {
        query.push(format!(" OR {} ~* ", quote_ident(&tag.column))).push_bind(pattern.clone());
    }
    query.push(")");
}

/// A regular expression of PostgreSQL's for texts in which a word starts like this. A word starts at a letter or digit
/// after anything else; a text that starts with neither is looked for anywhere.
fn starts_a_word(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 16);
    if text.starts_with(char::is_alphanumeric) {
        pattern.push_str("(^|[^[:alnum:]])");
    }
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::starts_a_word;

    #[test]
    fn what_is_searched_for_is_never_a_pattern() {
        assert_eq!(starts_a_word("a.b(c"), r"(^|[^[:alnum:]])a\.b\(c");
        assert_eq!(starts_a_word("***x"), r"\*\*\*x");
        assert_eq!(starts_a_word("été"), "(^|[^[:alnum:]])été");
    }
}
