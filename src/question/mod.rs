//! Questions as clients ask them: the JSON of `POST /api/v1/...`, typed and validated.
//!
//! Pure: no I/O, no tokio. Everything downstream (`window`, `frame`, `correlation`, `query`) takes these types,
//! so that REST, the command line and tests ask in exactly the same words. Unknown fields are refused.

mod ask;
mod asof;
mod bars;
mod kinds;
mod selector;
mod shared;
mod terms;
mod timestamp;
mod width;

pub use ask::{CorrelateQuestion, Invalid, MAX_RANGES, WindowQuestion};
pub use asof::{AsofQuestion, AsofSide, Join, MAX_ASOF_FIELDS};
pub use bars::BarsQuestion;
pub use kinds::{LagQuestion, MAX_ROLLING, MAX_TICKS, MatrixQuestion, RollingQuestion, TickMethod, TicksQuestion};
pub use selector::{Selector, SelectorError};
pub use shared::Shared;
pub use terms::{Aggregate, Fill, Grid, HalfLife, Method, Order, RankBy, Stat, TimeRange, Transform};
pub use timestamp::{Timestamp, TimestampError};
pub use width::{Width, WidthError};
