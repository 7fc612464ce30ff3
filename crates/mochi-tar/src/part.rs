//! A part of a file, read as if it were a file of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use crate::members::Span;

/// The bytes of a member.
#[derive(Debug)]
pub struct Part {
    file: File,
    span: Span,
    position: u64,
}

impl Part {
    /// The bytes of `span`. They need not exist: reading ends where the file does.
    pub fn new(file: File, span: Span) -> Self {
        Self { file, span, position: 0 }
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.span.length.saturating_sub(self.position);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(at) = self.span.offset.checked_add(self.position) else { return Ok(0) };
        let read = self.file.read_at(&mut buffer[..most], at)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.span.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_part_has_its_own_beginning_and_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut part = Part::new(file.try_clone().unwrap(), Span { offset: 3, length: 4 });
        let mut text = String::new();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "3456");
        assert_eq!(part.seek(SeekFrom::End(-1)).unwrap(), 3);
        text.clear();
        part.read_to_string(&mut text).unwrap();
        assert_eq!(text, "6");
        assert!(part.seek(SeekFrom::Current(-5)).is_err());
        let mut beyond = Part::new(file, Span { offset: 8, length: u64::MAX });
        text.clear();
        beyond.read_to_string(&mut text).unwrap();
        assert_eq!(text, "89");
    }
}
