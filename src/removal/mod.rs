//! Takes away what was written: a measurement, some of its series, the rows of a range of time.
//!
//! ```text
//! rows           chunk by chunk: dropped where the range holds it whole, else DELETE           no lock of ours
//! series         their rows likewise; then, under the exclusive lock: what came meanwhile,
//!                their entries, the epoch raised                                               writers look ids up anew
//! measurement    under the exclusive lock: tables, views, its entry in the catalog             a line makes it anew
//! ```
//!
//! Every write transaction holds the measurement's advisory lock shared and checks the epoch that its rows were prepared for
//! (`chunkwise.open_write`), so whoever holds it exclusively knows that no row is on its way to an id or a table that goes.
//! What goes is in the change log, by range, in the transaction that takes it. The ledger forgets the requests that wrote to
//! the measurement, as far as each function says, so that what was taken away can be written again.
//!
//! And series without data for long are put to sleep; see [`Retire`].
//!
//! All of it runs on the owner's connection.

mod dependents;
mod error;
mod ledger;
mod measurement;
mod retire;
mod rows;
mod series;
mod session;

pub use error::RemovalError;
pub use measurement::{Dependents, drop_measurement};
pub use retire::{Retire, retire, wake};
pub use rows::delete_rows;
pub use series::drop_series;
