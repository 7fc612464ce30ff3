//! TensorBoard event files with scalars: TFRecords that hold `tensorflow.Event` messages.
//!
//! * TFRecord: length (u64 LE), masked CRC-32C of the length, data, masked CRC-32C of the data, where
//!   `mask(c) = rotr(c, 15) + 0xa282ead8` (tensorflow/core/lib/io/record_writer.h).
//! * Event (tensorflow/core/util/event.proto): `double wall_time = 1; int64 step = 2; string file_version = 3;
//!   Summary summary = 5; SessionLog session_log = 7`; SessionLog: `SessionStatus status = 1`; Summary: `repeated Value value = 1`; Value: `string tag = 1; float simple_value = 2`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::RunError;
use crate::metrics::Line;

/// `SessionLog.SessionStatus.START`
const SESSION_START: u64 = 1;

/// An open event file. A resumed run opens another one; TensorBoard reads them as one run.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// Starts `events.out.tfevents.<seconds>.mochi` in the folder. Where the name is taken, the next second's is used,
    /// so that names keep the order in which the files were made.
    pub fn create(folder: &Path) -> Result<EventWriter, RunError> {
        let inside = mochi_files::Folder::open(folder)?;
        let mut seconds = wall_time() as u64;
        let (path, file) = loop {
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.mochi"));
            match inside.create_new(path.file_name().unwrap_or_default()) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == Some(std::io::ErrorKind::AlreadyExists) => seconds += 1,
                Err(error) => return Err(error.into()),
            }
        };
        let mut writer = EventWriter { path, file };
        let mut event = Message::default();
        event.double(1, wall_time());
        event.bytes(3, b"brain.Event:2");
        writer.write(&event.0)?;
        Ok(writer)
    }

    /// Starts a file for a run that resumes after `step`: TensorBoard drops what earlier files say of later steps, for
    /// they are done again.
    pub fn resume(folder: &Path, step: u64) -> Result<EventWriter, RunError> {
        let mut writer = EventWriter::create(folder)?;
        let mut session = Message::default();
        session.integer(1, SESSION_START);
        let mut event = Message::default();
        event.double(1, wall_time());
        event.integer(2, step.saturating_add(1));
        event.bytes(7, &session.0);
        writer.write(&event.0)?;
        Ok(writer)
    }

    /// Writes every value of a line under its tag.
    pub fn append<L: Line>(&mut self, line: &L) -> Result<(), RunError> {
        self.scalars(line.step(), line.scalars().into_iter())
    }

    /// Writes named numbers at a step.
    pub fn scalars<'a>(&mut self, step: u64, values: impl Iterator<Item = (&'a str, f64)>) -> Result<(), RunError> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut entry = Message::default();
            entry.bytes(1, tag.as_bytes());
            entry.float(2, value as f32);
            summary.bytes(1, &entry.0);
        }
        let mut event = Message::default();
        event.double(1, wall_time());
        event.integer(2, step);
        event.bytes(5, &summary.0);
        self.write(&event.0)
    }

    /// Waits until everything written so far is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(RunError::io("sync", &self.path))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, data: &[u8]) -> Result<(), RunError> {
        let length = (data.len() as u64).to_le_bytes();
        let mut frame = Vec::with_capacity(data.len() + 16);
        frame.extend_from_slice(&length);
        frame.extend_from_slice(&masked_crc(&length).to_le_bytes());
        frame.extend_from_slice(data);
        frame.extend_from_slice(&masked_crc(data).to_le_bytes());
        // One write a record: a concurrent reader finds whole records or a torn last one, which it waits for.
        self.file.write_all(&frame).map_err(RunError::io("write", &self.path))
    }
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A protobuf message being put together: the four wire forms that events need.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn integer(&mut self, field: u8, value: u64) {
        self.0.push(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.0.push(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, field: u8, value: f32) {
        self.0.push(field << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, value: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_that_of_tensorflow() {
        // CRC-32C's check value, and the mask worked by hand from it: rotr(0xe3069283, 15) + 0xa282ead8.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0xc78a_b0e5);
    }

    #[test]
    fn a_scalar_has_the_wire_form_of_the_proto_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        let before = std::fs::metadata(writer.path()).unwrap().len() as usize;
        writer.scalars(300, [("a/b", 1.5)].into_iter()).unwrap();
        let bytes = std::fs::read(writer.path()).unwrap();
        let record = &bytes[before..];
        let length = u64::from_le_bytes(record[..8].try_into().unwrap()) as usize;
        assert_eq!(record.len(), length + 16);
        let data = &record[12..12 + length];
        assert_eq!(data[0], 0x09, "wall_time: field 1, eight bytes");
        let expected = [
            &[0x10, 0xac, 0x02][..],             // step = 300
            &[0x2a, 0x0c][..],                   // summary, 12 bytes
            &[0x0a, 0x0a][..],                   // value, 10 bytes
            &[0x0a, 0x03, b'a', b'/', b'b'][..], // tag
            &[0x15, 0x00, 0x00, 0xc0, 0x3f][..], // simple_value = 1.5
        ]
        .concat();
        assert_eq!(&data[9..], expected);
        assert_eq!(record[12 + length..], masked_crc(data).to_le_bytes());
    }

    #[test]
    fn files_made_within_a_second_have_names_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path()).unwrap();
        let second = EventWriter::create(folder.path()).unwrap();
        assert!(first.path() < second.path());
    }
}
