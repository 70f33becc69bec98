//! Connections to the database, by what they are for, and migrations.
//!
//! Three roles, from the start, even where all three are one URL: the **owner** makes and grows tables, the **writer**
//! copies rows, the **reader** answers questions. Each session says which it is in `application_name`.

mod connect;
mod failure;
mod migrate;
mod rights;
mod roles;
mod server;
mod stalled;

pub use connect::{Database, DatabaseOptions, Role};
pub use failure::{Failure, classify};
pub use migrate::{MigrateError, Migrated, latest_version, migrate, verify};
pub use rights::{Deviation, Right, deviations};
pub use roles::{RoleFault, Roles, WRITER, ensure_roles, examine_roles};
pub use server::{Edition, ServerCheck, ServerError, check_server, ensure_extension};
pub use stalled::{STALLED_AFTER, end_stalled_copies};
