//! Short words for the schemas that parameters and questions are made of.

use serde_json::Value;
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat,
    schema::{ArrayBuilder, Type},
};

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

pub(super) fn number() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Number).format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
}

pub(super) fn boolean(default: bool) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).default(Some(default.into()))
}

/// One of some words.
pub(super) fn choice(words: &[&str]) -> ObjectBuilder {
    text().enum_values(Some(words.iter().copied()))
}

/// One of some words, the first of which is the default.
pub(super) fn word(words: &[&str]) -> ObjectBuilder {
    choice(words).default(words.first().copied().map(Value::from))
}

pub(super) fn one_of(schemas: impl IntoIterator<Item = RefOr<Schema>>) -> OneOfBuilder {
    schemas.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item)
}

pub(super) fn list(items: impl Into<RefOr<Schema>>) -> ArrayBuilder {
    ArrayBuilder::new().items(items.into())
}

/// What is registered under the name.
pub(super) fn named(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

/// What is registered under the name, described for its place.
pub(super) fn named_as(name: &str, description: &str) -> RefOr<Schema> {
    let mut reference = Ref::from_schema_name(name);
    description.clone_into(&mut reference.description);
    RefOr::Ref(reference)
}

/// Bytes that no schema describes.
pub(super) fn binary() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

/// A time as answers write it.
pub(super) fn date_time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}
