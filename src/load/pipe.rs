//! A pipe, read on a thread of its own, so that what has come can be handed on while more is waited for.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use super::source::More;

const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait to be taken; the thread stops at more, and with it whoever writes to the pipe.
const CHUNKS: usize = 16;

type Chunk = io::Result<Vec<u8>>;

/// What has come through a pipe.
pub(super) struct Pipe {
    chunks: Receiver<Chunk>,
    /// Came while it was waited for.
    first: Option<Chunk>,
}

impl Pipe {
    /// Reads `pipe` to its end, or until this is dropped and more comes.
    pub(super) fn start(mut pipe: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS);
        thread::Builder::new().name("pipe".into()).spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = match pipe.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(bytes) => {
                        chunk.truncate(bytes);
                        Ok(chunk)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.send(read).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self { chunks, first: None })
    }

    /// Appends a chunk, if one has come.
    pub(super) fn read_more(&mut self, buffer: &mut Vec<u8>) -> io::Result<More> {
        let chunk = match self.first.take() {
            Some(chunk) => chunk?,
            None => match self.chunks.try_recv() {
                Ok(chunk) => chunk?,
                Err(TryRecvError::Empty) => return Ok(More::NothingYet),
                Err(TryRecvError::Disconnected) => return Ok(More::End),
            },
        };
        buffer.extend_from_slice(&chunk);
        Ok(More::Bytes(chunk.len() as u64))
    }

    /// Waits for a chunk, or the end.
    pub(super) fn wait(&mut self, at_most: Duration) {
        if self.first.is_none() {
            match self.chunks.recv_timeout(at_most) {
                Ok(chunk) => self.first = Some(chunk),
                // The next read says which of the two it is.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }
}
