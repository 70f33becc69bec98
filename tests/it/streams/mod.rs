//! Feeds that stay connected.

mod mqtt;
mod paho;
mod setting;
mod source;
mod tls;
mod websocket;
