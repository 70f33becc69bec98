//! Feeds that stay connected.

mod mqtt;
mod setting;
mod source;
mod tls;
mod websocket;
