//! Feeds that stay connected.

mod broker;
mod mqtt;
mod paho;
mod source;
mod websocket;
