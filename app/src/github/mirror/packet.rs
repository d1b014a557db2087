//! The frames of git's wire protocol (gitprotocol-common, "pkt-line"): pure reading and writing of bytes.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// The length of a frame with its four digits (gitprotocol-common: 65520).
const LONGEST_FRAME: usize = 65_520;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of a response.
    ResponseEnd,
    /// Bytes, without the four digits.
    Data(Bytes),
}

impl Packet {
    /// The text of a line, without the newline that git puts at its end.
    pub(super) fn line(&self) -> Option<&str> {
        match self {
            Self::Data(data) => std::str::from_utf8(data).ok().map(|text| text.strip_suffix('\n').unwrap_or(text)),
            _ => None,
        }
    }
}

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not the length of a git packet")]
pub(super) struct PacketError(String);

/// Takes frames out of bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct PacketReader {
    buffer: BytesMut,
}

impl PacketReader {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, PacketError> {
        let Some(digits) = self.buffer.get(..4) else { return Ok(None) };
        let length = length(digits).ok_or_else(|| PacketError(String::from_utf8_lossy(digits).into_owned()))?;
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::ResponseEnd,
            _ if self.buffer.len() < length => return Ok(None),
            _ => {
                let mut frame = self.buffer.split_to(length);
                frame.advance(4);
                return Ok(Some(Packet::Data(frame.freeze())));
            }
        };
        self.buffer.advance(4);
        Ok(Some(packet))
    }

    /// Whether bytes of an unfinished frame are left.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

fn length(digits: &[u8]) -> Option<usize> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (length != 3 && length <= LONGEST_FRAME).then_some(length)
}

/// A request: lines, a delimiter, arguments, a flush (gitprotocol-v2, "command request").
#[derive(Debug)]
pub(super) struct CommandRequest {
    bytes: BytesMut,
}

impl CommandRequest {
    pub(super) fn new(command: &str, capabilities: &[String]) -> Self {
        let mut request = Self { bytes: BytesMut::new() };
        request.line(&format!("command={command}"));
        for capability in capabilities {
            request.line(capability);
        }
        request.bytes.extend_from_slice(b"0001");
        request
    }

    /// Adds an argument. It must hold no newline and be shorter than a frame; callers pass names that git accepts.
    pub(super) fn line(&mut self, text: &str) {
        self.bytes.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
    }

    pub(super) fn finish(mut self) -> Bytes {
        self.bytes.extend_from_slice(b"0000");
        self.bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use proptest::prelude::*;

    use super::*;

    fn read_all(pieces: &[&[u8]]) -> Result<Vec<Packet>, PacketError> {
        let mut reader = PacketReader::default();
        let mut packets = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(packet) = reader.next()? {
                packets.push(packet);
            }
        }
        Ok(packets)
    }

    #[test]
    fn frames_are_read_as_the_specification_shows_them() {
        let data = |text: &'static str| Packet::Data(Bytes::from_static(text.as_bytes()));
        for (bytes, expected) in [
            ("0006a\n", vec![data("a\n")]),
            ("0005a", vec![data("a")]),
            ("000bfoobar\n", vec![data("foobar\n")]),
            ("0004", vec![data("")]),
            ("000A1234560000", vec![data("123456"), Packet::Flush]),
            ("00000001", vec![Packet::Flush, Packet::Delimiter]),
            ("0002", vec![Packet::ResponseEnd]),
            ("000", vec![]),
            ("0009abc", vec![]),
        ] {
            assert_eq!(read_all(&[bytes.as_bytes()]), Ok(expected), "{bytes}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in ["0003", "00g0", "+001", "<htm", "fff1", "ffff", " 0a0"] {
            assert_eq!(read_all(&[bytes.as_bytes()]), Err(PacketError(bytes.to_owned())));
        }
    }

    #[test]
    fn a_request_is_written_as_the_specification_shows_it() {
        let mut request = CommandRequest::new("ls-refs", &["agent=a".to_owned()]);
        request.line("peel");
        assert_eq!(&request.finish()[..], b"0014command=ls-refs\n000cagent=a\n00010009peel\n0000");
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_frames(
            texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        ) {
            let mut bytes = Vec::new();
            for text in &texts {
                bytes.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
                bytes.extend_from_slice(text);
            }
            bytes.extend_from_slice(b"0000");
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            let mut expected: Vec<Packet> = texts.iter().cloned().map(|text| Packet::Data(Bytes::from(text))).collect();
            expected.push(Packet::Flush);
            prop_assert_eq!(read_all(&pieces).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_all(&[&bytes]);
        }
    }
}
