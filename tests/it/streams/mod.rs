//! Feeds that stay connected.

mod broker;
mod mqtt;
mod source;
mod websocket;
