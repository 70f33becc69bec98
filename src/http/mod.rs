//! What all routes share: errors, formats, the extractor of questions, the guard of listeners without tokens, and the
//! description of the API.

pub mod error;
pub mod guard;
pub mod negotiate;
pub mod openapi;
pub mod question;
mod serve;

pub use serve::serve;
