//! The formats' names and media types.

use std::{fmt, str::FromStr};

/// A format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// One numpy array.
    Npy,
    /// Several numpy arrays by name, in an uncompressed zip archive.
    Npz,
    /// An Arrow IPC stream.
    Arrow,
    /// Comma-separated values with a header, UTF-8.
    Csv,
}

/// A name that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: write json, npy, npz, arrow or csv")]
pub struct UnknownFormat(String);

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Json, Self::Npy, Self::Npz, Self::Arrow, Self::Csv];

    /// The name in `?format=` and `--format`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Arrow => "arrow",
            Self::Csv => "csv",
        }
    }

    /// The media type without parameters, as `Accept` names it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Npy => "application/x-npy",
            Self::Npz => "application/x-npz",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Csv => "text/csv",
        }
    }

    /// The value of `Content-Type`. CSV names its encoding, because some clients read text without one as Latin-1.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            _ => self.media_type(),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat(name.chars().take(40).collect()))
    }
}

/// How Arrow and CSV lay out a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// One row for every value that there is.
    #[default]
    Long,
    /// One row for every bucket, one column for every series.
    Wide,
}

/// A name that is no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a layout: write long or wide")]
pub struct UnknownLayout(String);

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        match name {
            "long" => Ok(Self::Long),
            "wide" => Ok(Self::Wide),
            _ => Err(UnknownLayout(name.chars().take(40).collect())),
        }
    }
}
