//! What there is, for operators.

use hashbrown::HashMap;
use serde::Serialize;

use super::store::{Blocks, locked};

/// Figures of all blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BlockFigures {
    /// Stretches of buckets.
    pub panels: u64,
    /// The memory that they take.
    pub memory_bytes: u64,
    /// Their files, which are mapped.
    pub mapped_bytes: u64,
}

impl Blocks {
    /// What there is now.
    #[must_use]
    pub fn figures(&self) -> BlockFigures {
        let mut figures = BlockFigures::default();
        for kept in self.all_kept() {
            for shelf in locked(&kept.shelves).values() {
                for stored in locked(&shelf.panels).values() {
                    figures.panels += 1;
                    figures.memory_bytes += stored.bytes();
                    figures.mapped_bytes += stored.file_bytes();
                }
            }
        }
        figures
    }

    /// How many panels there are of each chunk, by its number.
    #[must_use]
    pub fn panels_by_chunk(&self) -> HashMap<i64, u64> {
        let mut panels = HashMap::new();
        for kept in self.all_kept() {
            for shelf in locked(&kept.shelves).values() {
                for stored in locked(&shelf.panels).values() {
                    for chunk in &stored.place.chunks {
                        *panels.entry(*chunk).or_default() += 1;
                    }
                }
            }
        }
        panels
    }
}
