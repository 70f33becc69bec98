//! Which column is the time, and how it is written.

use chrono_tz::Tz;

use super::{
    LoadError, LoadOptions, TimeFormat, TimePattern, TimeRule, UnixUnit, cell::read_number, profile::Profile,
    refusal::excerpt,
};

/// Names that a time column has, in lower case and without a unit or zone in brackets; the likelier first.
const NAMES: [&str; 13] = [
    "time",
    "timestamp",
    "datetime",
    "date_time",
    "date",
    "ts",
    "_time",
    "event_time",
    "time_stamp",
    "unix",
    "unixtime",
    "unix_time",
    "datum",
];

/// `t` is a temperature as often as a time: it is the time where its numbers are seconds of the year 1973 or later, or
/// something finer.
const SHORT_NAME: &str = "t";
const LEAST_SHORT: f64 = 1e8;

/// The time column's index and its format.
pub(super) fn find(
    names: &[String],
    profiles: &[Profile<'_>],
    options: &LoadOptions,
) -> Result<(usize, TimeFormat), LoadError> {
    let pattern = options.time_format.as_deref().map(TimePattern::new).transpose()?.map(TimeFormat::Pattern);
    let index = match &options.time_column {
        Some(name) => index_of(names, name)?,
        None => guess(names, profiles, pattern.as_ref())?,
    };
    let format = match pattern {
        Some(pattern) => pattern,
        None => infer_format(&names[index], &profiles[index])?,
    };
    // A day's rows would all have the time of its midnight.
    let profile = &profiles[index];
    let of_day = profiles.iter().position(|other| other.mostly(other.times_of_day));
    if let Some(of_day) = of_day.filter(|_| profile.mostly(profile.dates) || profile.mostly(profile.times_of_day)) {
        let date =
            if of_day == index { profiles.iter().position(|other| other.mostly(other.dates)) } else { Some(index) };
        if let Some(date) = date {
            return Err(LoadError::SplitTime { date: names[date].clone(), time: names[of_day].clone() });
        }
    }
    Ok((index, format))
}

/// The index of the column named `name`.
pub(super) fn index_of(names: &[String], name: &str) -> Result<usize, LoadError> {
    names
        .iter()
        .position(|known| known == name)
        .ok_or_else(|| LoadError::UnknownColumn { name: name.into(), columns: listed(names) })
}

/// Names for a message; of many, the first.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// A name without its unit or zone, in lower case.
fn bare(name: &str) -> String {
    name.to_lowercase().split(['(', '[']).next().unwrap_or_default().trim().to_owned()
}

/// How likely a column of this name is the time: the smaller, the likelier; `None` for other names.
pub(super) fn rank_of_name(name: &str) -> Option<usize> {
    let bare = bare(name);
    NAMES.iter().position(|known| *known == bare)
}

fn guess(names: &[String], profiles: &[Profile<'_>], pattern: Option<&TimeFormat>) -> Result<usize, LoadError> {
    let bare: Vec<String> = names.iter().map(|name| bare(name)).collect();
    let named: Vec<usize> = NAMES.iter().filter_map(|name| bare.iter().position(|known| known == name)).collect();
    if let Some(pattern) = pattern {
        // Which zone the times are of does not matter for whether they are any.
        let rule = TimeRule { format: pattern.clone(), zone: Tz::UTC };
        let fits = |index: &usize| {
            let distinct = &profiles[*index].distinct;
            let read = distinct.iter().filter(|cell| rule.read(cell).is_ok()).count();
            read > 0 && read * 4 >= distinct.len() * 3
        };
        let fitting: Vec<usize> = (0..names.len()).filter(fits).collect();
        return match (named.iter().find(|index| fitting.contains(index)), fitting.as_slice()) {
            (Some(&index), _) | (None, &[index]) => Ok(index),
            // Under a name for times its cells are told one by one why they are none.
            (None, []) => named.first().copied().ok_or_else(|| LoadError::NoTimeColumn(listed(names))),
            (None, several) => {
                let several: Vec<_> = several.iter().map(|&index| names[index].clone()).collect();
                Err(LoadError::ManyTimeColumns(listed(&several)))
            }
        };
    }
    let can_be = |profile: &Profile<'_>| profile.mostly(profile.iso_times) || profile.mostly(profile.numbers);
    // `Time` of the day beside `Date` is found out later; here a name counts only if its cells can be times.
    if let Some(&index) = named.iter().find(|&&index| can_be(&profiles[index])).or(named.first()) {
        return Ok(index);
    }
    let short = bare.iter().position(|name| name == SHORT_NAME).filter(|&index| {
        let least = profiles[index].distinct.iter().filter_map(|cell| read_number(cell).ok()).reduce(f64::min);
        profiles[index].mostly(profiles[index].numbers) && least.is_some_and(|least| least >= LEAST_SHORT)
    });
    let typed: Vec<usize> =
        (0..names.len()).filter(|&index| profiles[index].mostly(profiles[index].iso_times)).collect();
    match typed[..] {
        [index] => Ok(index),
        [] => short.ok_or_else(|| LoadError::NoTimeColumn(listed(names))),
        _ => Err(LoadError::ManyTimeColumns(listed(
            &typed.iter().map(|&index| names[index].clone()).collect::<Vec<_>>(),
        ))),
    }
}

/// How these cells are written.
pub(super) fn infer_format(name: &str, profile: &Profile<'_>) -> Result<TimeFormat, LoadError> {
    if profile.mostly(profile.iso_times) || profile.cells == 0 {
        return Ok(TimeFormat::Iso);
    }
    if profile.mostly(profile.numbers) {
        if profile.distinct.iter().all(|cell| is_compact_date(cell)) {
            return Ok(TimeFormat::Pattern(TimePattern::new("%Y%m%d")?));
        }
        let size = profile.distinct.iter().filter_map(|cell| read_number(cell).ok()).map(f64::abs).fold(0.0, f64::max);
        return Ok(TimeFormat::Unix(UnixUnit::by_size(size)));
    }
    let dates: Vec<_> = profile.distinct.iter().filter_map(|cell| DayMonth::of(cell)).collect();
    if !profile.mostly(profile.times_of_day)
        && dates.len() * 4 >= profile.distinct.len() * 3
        && let Some(date) = dates.first()
    {
        let (day_first, month_first) = (date.pattern("%d", "%m"), date.pattern("%m", "%d"));
        let flags = match (dates.iter().any(|d| d.first > 12), dates.iter().any(|d| d.second > 12)) {
            (true, false) => format!("--time-format '{day_first}' (the only one that fits the first rows)"),
            (false, true) => format!("--time-format '{month_first}' (the only one that fits the first rows)"),
            _ => format!("--time-format '{month_first}' or --time-format '{day_first}'"),
        };
        return Err(LoadError::AmbiguousDate { column: name.into(), cell: profile.example(), flags });
    }
    Err(LoadError::UnknownTimeFormat { column: name.into(), cell: profile.example() })
}

/// `20200131`: as seconds it would be a day of August 1970.
fn is_compact_date(cell: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        cell.get(range).and_then(|part| std::str::from_utf8(part).ok()?.parse::<u32>().ok())
    };
    cell.len() == 8
        && cell.iter().all(u8::is_ascii_digit)
        && number(0..4).is_some_and(|year| (1800..2200).contains(&year))
        && number(4..6).is_some_and(|month| (1..=12).contains(&month))
        && number(6..8).is_some_and(|day| (1..=31).contains(&day))
}

/// A date that begins with its day or its month: `1/2/2020`, `01.02.20 09:30`.
struct DayMonth {
    first: u32,
    second: u32,
    separator: char,
    year_digits: usize,
    /// The rest, as a pattern.
    time: &'static str,
}

impl DayMonth {
    fn of(cell: &[u8]) -> Option<Self> {
        let text = excerpt(cell);
        let separator = text.chars().find(|c| !c.is_ascii_digit()).filter(|c| "/.-".contains(*c))?;
        let (date, time) = text.split_once([' ', 'T']).map_or((text.as_str(), ""), |(date, time)| (date, time));
        let mut parts = date.split(separator);
        let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
        let time = match (time.is_empty(), time.matches(':').count()) {
            (true, _) => "",
            (false, 1) => " %H:%M",
            _ => " %H:%M:%S%.f",
        };
        let short = |part: &str| (1..=2).contains(&part.len()).then(|| part.parse().ok()).flatten();
        let is_year =
            matches!(year.len(), 2 | 4) && year.bytes().all(|byte| byte.is_ascii_digit()) && parts.next().is_none();
        is_year.then_some(Self {
            first: short(first)?,
            second: short(second)?,
            separator,
            year_digits: year.len(),
            time,
        })
    }

    fn pattern(&self, first: &str, second: &str) -> String {
        let year = if self.year_digits == 4 { "%Y" } else { "%y" };
        let Self { separator, time, .. } = self;
        format!("{first}{separator}{second}{separator}{year}{time}")
    }
}
