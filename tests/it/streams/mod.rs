//! Feeds that stay connected.

mod hostile_mqtt;
mod hostile_websocket;
mod mqtt;
mod paho;
mod setting;
mod source;
mod tls;
mod websocket;
