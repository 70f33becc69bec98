//! What a measurement is made of.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{ColumnType, Sleeping, quote_ident};

/// A tag and its column in the series table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// As clients write it.
    pub name: String,
    /// The column.
    pub column: String,
    /// Its place among all tags and fields, in order of arrival.
    pub position: i32,
}

/// A field and its column in the storage table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As clients write it.
    pub name: String,
    /// The column.
    pub column: String,
    /// Its type.
    pub kind: ColumnType,
    /// Its place among all tags and fields, in order of arrival.
    pub position: i32,
}

/// Whether a name is a tag or a field, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// Index into [`Measurement::tags`].
    Tag(usize),
    /// Index into [`Measurement::fields`].
    Field(usize),
}

/// One measurement as it was when it was read from the catalog. Only ever grows, within one epoch.
#[derive(Debug, Clone)]
pub struct Measurement {
    /// Its number in the catalog.
    pub id: i32,
    /// The namespace.
    pub namespace: String,
    /// As clients write it.
    pub name: String,
    /// The view's and the storage table's name.
    pub relation: String,
    /// Raised when the table or its ids lose their meaning.
    pub epoch: i64,
    /// How long rows are kept, in microseconds; `None` for ever.
    pub retention_us: Option<i64>,
    /// How many chunks a slice of time has, by hash of the series; `None`: one. It was chosen when the table was made.
    pub space_partitions: Option<i32>,
    /// In order of arrival.
    pub tags: Vec<Tag>,
    /// In order of arrival.
    pub fields: Vec<Field>,
    /// Which of its series sleep, as far as this process knows.
    pub sleeping: Arc<Sleeping>,
    members: HashMap<String, Member>,
}

impl Measurement {
    /// A measurement without tags and fields.
    pub(crate) fn new(id: i32, namespace: String, name: String, relation: String, epoch: i64) -> Self {
        let (tags, fields, members, sleeping) = Default::default();
        let (retention_us, space_partitions) = (None, None);
        Self { id, namespace, name, relation, epoch, retention_us, space_partitions, tags, fields, sleeping, members }
    }

    pub(crate) fn add_tag(&mut self, tag: Tag) {
        self.members.insert(tag.name.clone(), Member::Tag(self.tags.len()));
        self.tags.push(tag);
    }

    pub(crate) fn add_field(&mut self, field: Field) {
        self.members.insert(field.name.clone(), Member::Field(self.fields.len()));
        self.fields.push(field);
    }

    /// The place of the next tag or field.
    pub(super) fn next_position(&self) -> i32 {
        let tags = self.tags.iter().map(|tag| tag.position);
        let fields = self.fields.iter().map(|field| field.position);
        tags.chain(fields).max().map_or(1, |last| last + 1)
    }

    /// What a name is here, if it is anything.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<Member> {
        self.members.get(name).copied()
    }

    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        match self.member(name)? {
            Member::Field(index) => self.fields.get(index),
            Member::Tag(_) => None,
        }
    }

    /// The tag of that name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&Tag> {
        match self.member(name)? {
            Member::Tag(index) => self.tags.get(index),
            Member::Field(_) => None,
        }
    }

    /// The storage table, quoted, such as `"public_store"."ticks"`.
    #[must_use]
    pub fn storage(&self) -> String {
        format!("{}.{}", quote_ident(&store_schema(&self.namespace)), quote_ident(&self.relation))
    }

    /// The schema and the name of the storage table, as the database's catalogs have them.
    #[must_use]
    pub fn storage_names(&self) -> [String; 2] {
        [store_schema(&self.namespace), self.relation.clone()]
    }

    /// The series table, quoted.
    #[must_use]
    pub fn series_table(&self) -> String {
        let name = format!("{}__series", self.relation);
        format!("{}.{}", quote_ident(&store_schema(&self.namespace)), quote_ident(&name))
    }

    /// The analysts' view, quoted.
    #[must_use]
    pub fn view(&self) -> String {
        format!("{}.{}", quote_ident(&self.namespace), quote_ident(&self.relation))
    }
}

/// The schema that holds a namespace's tables.
pub(super) fn store_schema(namespace: &str) -> String {
    format!("{namespace}_store")
}
