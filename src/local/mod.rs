//! The TimescaleDB that chunkwise starts for itself: found on this machine or fetched, a private cluster, and its life.
//!
//! ```text
//! Installation (find, or fetch on Debian) -> Cluster (initdb, once) -> settings -> Server (start, stop, status) -> Running
//!                                                                                  doctor looks at it, or at any other server
//! ```
//!
//! The server is a process of its own: it outlives the chunkwise that started it, the next one finds it, and after a crash of
//! either `start` brings it back. It listens on loopback and on a Unix socket that only its owner can reach, with a password.
//! `fsync`, `full_page_writes` and `synchronous_commit` are always on.
//!
//! On disk, under [`LocalConfig::data_dir`]:
//!
//! ```text
//! <data-dir>/postgres/          for this user alone; root's lets the account that PostgreSQL runs as through to what is its own
//!   lock                        locked by the process that is starting or stopping the server
//!   users                       locked, shared, by each process that uses the server
//!   wish                        what is to become of the server when nobody uses it
//!   password                    of the superuser `chunkwise`; mode 0600
//!   port                        the TCP port on 127.0.0.1, chosen at the first start
//!   run/                        the Unix socket (in /tmp where this path would be too long for one)
//!   log/start.log               what the server says before its own log is open
//!   log/postgresql-<day>.log    its log, a week of it
//!   data/                       the cluster; made as data.unfinished/ and renamed when it is complete
//!     postgresql.conf           ends with: include 'chunkwise.conf'. Lines added after that one win
//!     chunkwise.conf            written anew at every start from this machine's memory and disk
//! ```
//!
//! and under [`LocalConfig::cache_dir`], only where the packages were fetched:
//!
//! ```text
//! <cache-dir>/timescaledb/
//!   lock                        locked by the process that is fetching
//!   unfinished/                 a fetch under way; removed by the next one if it was killed
//!   trixie-<architecture>/      the unpacked packages; comes into being by one rename, complete
//!     complete                  the last file written
//!     usr/lib/postgresql/17/bin/        wrappers that run real/ with the tree's own loader and C library
//!     usr/lib/postgresql/17/bin/real/   the programs themselves
//! ```
//!
//! Nothing here prints: what takes long reports [`Step`]s to a callback.

mod account;
mod apt;
mod cluster;
mod config;
mod debian;
mod doctor;
mod error;
mod file_lock;
mod installation;
mod launch;
mod machine;
mod postmaster;
mod process;
mod progress;
mod provision;
mod server;
mod settings;
mod users;

pub use config::LocalConfig;
pub use doctor::{Check, Subject, Verdict, examine};
pub use error::{CommandError, FetchError, LocalError};
pub use installation::{Installation, Origin, PassedOver, Search};
pub use progress::{Progress, Step};
pub use server::{Left, Running, Server, StartedBy, Status, Stop};
pub use users::Membership;
