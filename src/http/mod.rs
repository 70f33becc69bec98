//! The question routes' outer layers: errors, formats, the guard of listeners without tokens, the description of the API.

pub mod error;
pub mod guard;
pub mod negotiate;
pub mod openapi;
pub mod question;
