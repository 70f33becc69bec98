//! Questions as clients ask them: the JSON of `POST /api/v1/...`, typed and validated.
//!
//! Pure: no I/O, no tokio. Everything downstream (`window`, `frame`, `correlation`, `query`) takes these types,
//! so that REST, the command line and tests ask in exactly the same words. Unknown fields are refused.

mod ask;
mod asof;
mod bars;
mod selector;
mod timestamp;
mod width;

pub use ask::{
    Aggregate, CorrelateQuestion, Fill, Grid, Invalid, MAX_RANGES, Method, Order, RankBy, Shared, Stat, TimeRange,
    Transform, WindowQuestion,
};
pub use asof::{AsofQuestion, AsofSide, Join, MAX_ASOF_FIELDS};
pub use bars::BarsQuestion;
pub use selector::{Selector, SelectorError};
pub use timestamp::{Timestamp, TimestampError};
pub use width::{Width, WidthError};
