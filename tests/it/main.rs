//! Integration tests, one binary, against a real TimescaleDB; each test has a database of its own. A comment says what
//! belongs into each module.

// The whole way with real data: files loaded by the program, answers from its port and its commands, read by clients.
mod answers;
// The program measures itself.
mod bench;
// Correlations from blocks, beside those from rows, while rows change.
mod blocks;
// Clients as others wrote them, unmodified, write to the program.
mod clients;
// The program with a server of its own: started, crashed, found again.
mod embedded;
// Whatever may go wrong: processes killed, databases away, hostile clients. No row is lost, none is there twice.
mod faults;
// Made-up data sent by the program itself, and its proof that nothing was lost: what is planted must be found.
mod feed;
// Feeds with journals under way, a fault, and the proof from the journals: lost 0, twice 0, wrong 0.
mod harness;
// The source tree itself: who imports whom, how long files are, where `unsafe` is.
mod layout;
// Chunks from the first row to the drop: sealed, killed on the way, dropped, looked at.
mod life;
// Line protocol over TCP and OpenTSDB's port: raw sockets to committed rows.
mod listeners;
// The web page, in a browser.
mod page;
// Questions to answers: windows, correlations, listings, against oracles.
mod read;
// What is taken away, and what sleeps.
mod removal;
// Bars and last values: what the job makes of rows, and the views upon it, against what SQL makes of the same rows.
mod rollup;
// Feeds that stay connected: WebSocket, MQTT, foreign feeds.
mod streams;
// What analysts see: the views, and how documented queries are planned.
mod surface;
// What tests stand on.
mod support;
// Lines over HTTP to committed rows.
mod write;
