//! The rows of one measurement while a request is read. Pure.

use std::{borrow::Cow, ops::Range, sync::Arc};

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::{
    RowFault,
    row::{Row, convert_plain, type_of},
};
use crate::{
    batch::{Batch, BatchColumn, RowError, Value},
    hypertable::{
        ColumnType, DEFAULT_INTERVAL_US, Measurement, Member, Rate, SchemaLimits, Wanted, check_name, interval_for,
        row_bytes,
    },
    protocol::{FieldValue, Line},
    series::{MeasurementIds, NewSeries, SeriesKey},
};

/// Values of a row, by the column of the batch.
pub(super) type Values<'b> = SmallVec<[(usize, Value<'b>); 8]>;

/// What is known of a measurement when a request is read.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// It is there. If a line names what it has not, it is to grow.
    Known(Arc<Measurement>),
    /// It has grown as far as it may for this request.
    Grown(Arc<Measurement>),
    /// It is to be made.
    New,
    /// It cannot be had.
    Refused(RowFault),
}

/// History that is longer than this in one request is taken for a load, and its own rate chooses the chunk interval.
const HISTORY_US: i64 = 28 * 86_400_000_000;
const NO_COLUMN: u32 = u32::MAX;

/// What a request has for one measurement so far.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) batch: Batch,
    /// Series that are to be made; until then a row's series is [`placeholder`].
    pub(super) new_series: Vec<NewSeries>,
    new_places: HashMap<SeriesKey, usize>,
    /// What lines of new series begin with: which series, and the place in the body.
    pub(super) new_parts: Vec<(usize, Range<usize>)>,
    pub(super) ids: MeasurementIds,
    /// What the measurement lacks.
    pub(super) wanted: Wanted,
    wanted_names: HashSet<String>,
    span: Span,
    /// The batch's column of each field of the measurement.
    columns: Vec<u32>,
    /// The row that named a column last, to see a name that comes twice.
    named: Vec<u64>,
    rows: u64,
    /// The fields of the line before, in its order: mostly the next line's too.
    recent: Vec<(u32, u32)>,
}

/// What the chunk interval of a new measurement depends on.
#[derive(Debug, Default)]
struct Span {
    lines: u64,
    fields: usize,
    times_us: Option<(i64, i64)>,
}

/// Stands for the id of a series that is to be made; ids are above zero.
pub(super) fn placeholder(new: usize) -> i64 {
    -1 - i64::try_from(new).unwrap_or(i64::MAX - 1)
}

/// Which of the new series a placeholder stands for; none of an id.
pub(super) fn placeholder_of(series_id: i64) -> Option<usize> {
    if series_id < 0 { usize::try_from(-1 - series_id).ok() } else { None }
}

impl Draft {
    pub(super) fn new(name: String, standing: Standing, ids: MeasurementIds) -> Self {
        let fields = match &standing {
            Standing::Known(measurement) | Standing::Grown(measurement) => measurement.fields.len(),
            Standing::New | Standing::Refused(_) => 0,
        };
        Self {
            name,
            standing,
            batch: Batch::new(Vec::new()),
            new_series: Vec::new(),
            new_places: HashMap::new(),
            new_parts: Vec::new(),
            ids,
            wanted: Wanted::default(),
            wanted_names: HashSet::new(),
            span: Span::default(),
            columns: vec![NO_COLUMN; fields],
            named: Vec::new(),
            rows: 0,
            recent: Vec::new(),
        }
    }

    pub(super) fn measurement(&self) -> Option<&Arc<Measurement>> {
        match &self.standing {
            Standing::Known(measurement) | Standing::Grown(measurement) => Some(measurement),
            Standing::New | Standing::Refused(_) => None,
        }
    }

    /// Notes what a line needs that the measurement lacks; true if there is anything.
    pub(super) fn want(&mut self, line: &Line<'_>, limits: SchemaLimits) -> bool {
        let known = match &self.standing {
            Standing::Known(measurement) => Some(measurement),
            Standing::New => None,
            Standing::Grown(_) | Standing::Refused(_) => return false,
        };
        if known.is_none() {
            self.span.add(line);
        }
        let lacks = |name: &str| known.is_none_or(|measurement| measurement.member(name).is_none());
        let mut anything = known.is_none();
        for (name, _) in line.tags.iter().filter(|(name, _)| lacks(name)) {
            anything = true;
            // What cannot be a name is the line's fault, and so is what there is no room for: neither is kept.
            if self.wanted.tags.len() <= limits.tags && check_name(name).is_ok() && !self.wanted_names.contains(&**name)
            {
                self.wanted_names.insert(name.to_string());
                self.wanted.tags.push(name.to_string());
            }
        }
        for (name, value) in line.fields.iter().filter(|(name, _)| lacks(name)) {
            anything = true;
            if self.wanted.fields.len() <= limits.fields
                && check_name(name).is_ok()
                && !self.wanted_names.contains(&**name)
            {
                self.wanted_names.insert(name.to_string());
                self.wanted.fields.push((name.to_string(), type_of(value)));
            }
        }
        anything
    }

    /// The chunk interval that suits the lines.
    pub(super) fn interval_us(&self) -> i64 {
        let span_us = self.span.times_us.map_or(0, |(first, last)| last.saturating_sub(first));
        match Rate::over(self.span.lines, span_us, row_bytes(self.span.fields, 0.0)) {
            Some(rate) if span_us > HISTORY_US => interval_for(rate),
            _ => DEFAULT_INTERVAL_US,
        }
    }

    /// The id of the series of a line that was read whole, or what stands for it until it is made.
    pub(super) fn series(&mut self, key: SeriesKey, line: &Line<'_>) -> i64 {
        if let Some(id) = self.ids.get(key) {
            return id;
        }
        if let Some(place) = self.new_places.get(&key) {
            return placeholder(*place);
        }
        let place_of = |name: &str| match self.measurement()?.member(name)? {
            Member::Tag(place) => Some(place),
            Member::Field(_) => None,
        };
        let tags = line.tags.iter().filter_map(|(name, value)| Some((place_of(name)?, Box::from(&**value)))).collect();
        self.new_places.insert(key, self.new_series.len());
        self.new_series.push(NewSeries { key, tags });
        placeholder(self.new_series.len() - 1)
    }

    /// Whether the key is that of a series which is known or on its way.
    pub(super) fn knows(&self, key: SeriesKey) -> bool {
        self.ids.get(key).is_some() || self.new_places.contains_key(&key)
    }

    /// Notes where the part stands in the body that a new series' lines begin with: once for each, which come in order.
    pub(super) fn note_part(&mut self, new: usize, part: Range<usize>) {
        if self.new_parts.last().is_none_or(|(last, _)| *last < new) {
            self.new_parts.push((new, part));
        }
    }

    /// Adds the row of a line that was read whole.
    pub(super) fn push(&mut self, row: &Row<'_>, series_id: i64) -> Result<(), RowError> {
        let Some(measurement) = self.measurement().cloned() else { return Ok(()) };
        let values: SmallVec<[_; 8]> =
            row.values.iter().map(|(field, value)| (self.column(&measurement, *field), *value)).collect();
        self.batch.push_row(row.time_us, series_id, &values)
    }

    /// Begins the row of a line that is read at a glance.
    pub(super) fn begin_row(&mut self) {
        self.rows += 1;
    }

    /// Enters a field of it, the one at `place` in the line; false if the line has to be read whole.
    #[inline]
    pub(super) fn enter<'b>(&mut self, name: &str, value: &FieldValue<'b>, values: &mut Values<'b>) -> bool {
        let (Standing::Known(measurement) | Standing::Grown(measurement)) = &self.standing else { return false };
        let place = values.len();
        let (field, column) = match self.recent.get(place) {
            Some(&(field, column)) if measurement.fields[field as usize].name == name => {
                (field as usize, column as usize)
            }
            _ => {
                let Some(Member::Field(field)) = measurement.member(name) else { return false };
                let measurement = Arc::clone(measurement);
                let column = self.column(&measurement, field);
                self.remember(place, field, column);
                (field, column)
            }
        };
        if self.named[column] == self.rows {
            return false;
        }
        self.named[column] = self.rows;
        let kind = self.batch.columns()[column].kind;
        debug_assert_eq!(self.measurement().map(|measurement| measurement.fields[field].kind), Some(kind));
        let value = match value {
            FieldValue::Text(Cow::Borrowed(text)) if kind == ColumnType::Text => Some(Value::Text(text)),
            value => convert_plain(value, kind),
        };
        match value {
            Some(value) => {
                values.push((column, value));
                true
            }
            None => false,
        }
    }

    #[cold]
    fn remember(&mut self, place: usize, field: usize, column: usize) {
        // A measurement has at most 1,600 of either.
        let (Ok(field), Ok(column)) = (u32::try_from(field), u32::try_from(column)) else { return };
        self.recent.truncate(self.recent.len().max(place));
        if place < self.recent.len() {
            self.recent[place] = (field, column);
        } else if place == self.recent.len() {
            self.recent.push((field, column));
        }
    }

    /// The batch's column of a field, made where there is none yet.
    fn column(&mut self, measurement: &Measurement, field: usize) -> usize {
        if self.columns[field] == NO_COLUMN {
            let known = &measurement.fields[field];
            let column = self.batch.add_column(BatchColumn { name: known.column.clone(), kind: known.kind });
            self.named.push(0);
            self.columns[field] = u32::try_from(column).unwrap_or(NO_COLUMN);
            return column;
        }
        self.columns[field] as usize
    }

    /// How many bytes the draft takes, and its order when it is sorted.
    pub(super) fn bytes(&self) -> usize {
        /// A new series' key, its place, and its tags' values with what an allocation takes.
        const NEW_SERIES_BYTES: usize = 240;
        const ORDER_BYTES: usize = 12;
        const OWN_BYTES: usize = 1024;
        let order = self.batch.len() * ORDER_BYTES;
        OWN_BYTES + self.batch.bytes() + order + self.new_series.len() * NEW_SERIES_BYTES
    }
}

impl Span {
    fn add(&mut self, line: &Line<'_>) {
        if self.lines == 0 {
            self.fields = line.fields.len();
        }
        self.lines += 1;
        if let Some(us) = line.time_us {
            let (first, last) = self.times_us.unwrap_or((us, us));
            self.times_us = Some((first.min(us), last.max(us)));
        }
    }
}
