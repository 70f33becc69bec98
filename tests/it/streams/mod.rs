//! Feeds that stay connected.

mod websocket;
