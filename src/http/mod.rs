//! The question service's routes, and what all routes share: errors, formats, the extractor of questions, the guard of
//! listeners without tokens, the description of the API, and the web page.

mod answers;
pub mod error;
mod failure;
pub mod guard;
mod listings;
pub mod negotiate;
pub mod openapi;
mod page;
mod parameters;
pub mod question;
mod removals;
mod reports;
mod router;
mod serve;
mod service;
mod state;

pub use listings::prepare_latest;
pub use page::page_router;
pub use removals::removal_router;
pub use reports::CompareReports;
pub use router::{question_router, service_router};
pub use serve::{serve, serve_handed};
pub use state::{Figures, HttpState};
