//! What may go wrong, and that nothing is lost or written twice by it.

mod away;
pub(crate) mod clients;
mod follow;
mod hang_up;
mod hostile;
mod in_doubt;
mod kill;
mod load;
mod locks;
pub(crate) mod raw;
mod spool;
mod stalled;
mod stop;
