//! A stream, cut into bodies of whole lines.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr};

use super::dialect::Dialect;

/// The bytes of a connection that were read and not handed on yet.
#[derive(Debug)]
pub(super) struct Framing {
    dialect: Dialect,
    max_line_bytes: usize,
    buffer: BytesMut,
    /// Within a line that is too long: everything up to its line break is passed over.
    passing_over: bool,
}

/// What can be had of the bytes so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Whole lines; may be empty.
    pub(super) body: Bytes,
    /// Lines were begun that are too long, and are passed over.
    pub(super) too_long: u32,
}

impl Framing {
    pub(super) fn new(dialect: Dialect, max_line_bytes: usize) -> Self {
        Self { dialect, max_line_bytes, buffer: BytesMut::new(), passing_over: false }
    }

    /// Where the next bytes are read to.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the whole lines out. What stays is the beginning of a line, and at most as long as a line may be.
    pub(super) fn cut(&mut self) -> Cut {
        let mut cut = Cut::default();
        if self.passing_over {
            match memchr(b'\n', &self.buffer) {
                Some(line_break) => {
                    drop(self.buffer.split_to(line_break + 1));
                    self.passing_over = false;
                }
                None => {
                    self.buffer.clear();
                    return cut;
                }
            }
        }
        let mut complete = self.dialect.complete_bytes(&self.buffer);
        if self.buffer.len() - complete > self.max_line_bytes {
            // A quote that nobody closes holds the line breaks behind it: the parser knows which lines it may not hold.
            complete = memrchr(b'\n', &self.buffer).map_or(complete, |line_break| complete.max(line_break + 1));
        }
        cut.body = self.buffer.split_to(complete).freeze();
        if self.buffer.len() > self.max_line_bytes {
            cut.too_long = 1;
            self.passing_over = true;
            self.buffer = BytesMut::new();
        }
        cut
    }

    /// At the end of the stream: whether the beginning of a line is left, which is not written.
    pub(super) fn is_cut_off(&self) -> bool {
        !self.buffer.iter().all(u8::is_ascii_whitespace)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 32;

    /// Feeds pieces and gives all bodies, joined, and how many lines were too long.
    fn feed(dialect: Dialect, pieces: &[&[u8]]) -> (Vec<u8>, u32, bool) {
        let mut framing = Framing::new(dialect, MOST);
        let (mut all, mut too_long) = (Vec::new(), 0);
        for piece in pieces {
            framing.buffer().extend_from_slice(piece);
            let cut = framing.cut();
            assert!(framing.len() <= MOST);
            all.extend_from_slice(&cut.body);
            too_long += cut.too_long;
        }
        (all, too_long, framing.is_cut_off())
    }

    #[test]
    fn wherever_a_stream_is_split_the_same_lines_come_out() {
        let stream = b"m f=1 1\nm s=\"two\nlines\" 2\r\n\nm f=3 3\n";
        for at in 0..=stream.len() {
            let (front, back) = stream.split_at(at);
            assert_eq!(feed(Dialect::LineProtocol, &[front, back]), (stream.to_vec(), 0, false), "{at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(feed(Dialect::LineProtocol, &bytes), (stream.to_vec(), 0, false));
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let long = [b'x'; 3 * MOST];
        for dialect in [Dialect::LineProtocol, Dialect::OpenTsdb] {
            let pieces: &[&[u8]] = &[b"m f=1\n", &long, &long, b"y\nm f=2\n", b"m f=", b"3\nm"];
            assert_eq!(feed(dialect, pieces), (b"m f=1\nm f=2\nm f=3\n".to_vec(), 1, true));
        }
    }

    #[test]
    fn a_quote_that_nobody_closes_holds_nothing_back_for_ever() {
        let open = b"m s=\"open 1\n".as_slice();
        let lines = b"m f=1 1\nm f=2 2\nm f=3 3\nm f=4 4\n".as_slice();
        let (all, too_long, _) = feed(Dialect::LineProtocol, &[open, lines]);
        assert_eq!((all, too_long), ([open, lines].concat(), 0));
    }

    proptest! {
        #[test]
        fn no_byte_of_a_short_line_is_lost_or_changed(
            lines in proptest::collection::vec("[a-z ]{0,20}", 0..20),
            sizes in proptest::collection::vec(1_usize..50, 1..40),
        ) {
            let stream: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
            let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
            for size in sizes.iter().cycle() {
                let (piece, behind) = rest.split_at(rest.len().min(*size));
                pieces.push(piece);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(feed(Dialect::OpenTsdb, &pieces), (stream.clone(), 0, false));
        }
    }
}
