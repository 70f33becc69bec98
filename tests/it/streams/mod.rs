//! Feeds that stay connected.

mod broker;
mod hostile_mqtt;
mod hostile_websocket;
mod mqtt;
mod source;
mod websocket;
