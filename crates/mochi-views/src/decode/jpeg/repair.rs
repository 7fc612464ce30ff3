//! Copies a JPEG without parts that cause harmless warnings of libjpeg, so that a warning about the copy means damage.
//!
//! libjpeg keeps only the first warning. A harmless one (stray bytes between segments, an unknown JFIF revision) hides a later serious one, and in the
//! header it ends the decoding of a complete image. The copy contains only the segments that determine the pixels, without bytes between them, and
//! an end marker. libjpeg gives the same pixels for both.

/// Length of the shortest run of equal bytes before a marker that is treated as padding.
const PADDING: usize = 8;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

/// A clean copy of a file; `None` if its segments cannot be separated, or if the file ends before the image is complete.
///
/// With `strip_padding`, runs of equal bytes at the end of the entropy-coded data before a marker are left out too.
pub(super) fn repair(bytes: &[u8], strip_padding: bool) -> Option<Vec<u8>> {
    let mut copy = Copy { out: vec![0xFF, SOI], ..Copy::default() };
    let mut at = 2;
    let ended = loop {
        let Some((marker, body)) = next_marker(bytes, at) else { break false };
        match marker {
            EOI => break true,
            // TEM and restart markers have no length and are ignored here.
            0x01 | 0xD0..=0xD7 => at = body,
            _ => {
                let Some(segment) = segment(bytes, body).filter(|_| marker >= 0xC0 && marker != SOI) else {
                    break false;
                };
                at = body + 2 + segment.len();
                copy.segment(marker, segment)?;
                if marker == SOS {
                    let end = entropy_coded_end(bytes, at);
                    copy.entropy_coded(bytes.get(at..end)?, strip_padding && end < bytes.len());
                    at = end;
                }
            }
        }
    };
    copy.finish(ended)
}

/// The next marker at or after `at` and the start of its segment, after stray and fill bytes.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == 0xFF)?;
        at += bytes.get(at..)?.iter().position(|&b| b != 0xFF)?;
        if bytes[at] != 0 {
            return Some((bytes[at], at + 1));
        }
    }
}

/// Content of a segment after its two bytes of length.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
    bytes.get(at + 2..at + usize::from(length)).filter(|_| length >= 2)
}

/// Start of the first marker after `at` that is not a restart marker, or the end of the file.
fn entropy_coded_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some((marker, body)) = next_marker(bytes, at) {
        if !matches!(marker, 0xD0..=0xD7) {
            return body - 2;
        }
        at = body;
    }
    bytes.len()
}

/// State of the copy.
#[derive(Default)]
struct Copy {
    out: Vec<u8>,
    /// Position of the Adobe segment's color transform in `out`.
    transform: Option<usize>,
    /// SOF marker.
    frame: u8,
    /// Component ids of the frame, each with the bits still missing of every coefficient (255: all).
    components: Vec<(u8, [u8; 64])>,
}

impl Copy {
    fn segment(&mut self, marker: u8, body: &[u8]) -> Option<()> {
        let start = self.out.len() + 4;
        match marker {
            // Only the JFIF and Adobe segments affect the pixels.
            0xE0 if body.starts_with(b"JFIF\0") => {}
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => self.transform = Some(start + 11),
            0xE0..=0xEF | 0xFE => return Some(()),
            // A second frame is not part of this image.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                if self.frame != 0 {
                    return None;
                }
                self.frame = marker;
                self.components = body.get(6..)?.chunks_exact(3).map(|c| (c[0], [u8::MAX; 64])).collect();
            }
            SOS => self.scan(body)?,
            _ => {}
        }
        self.out.extend([0xFF, marker]);
        self.out.extend((body.len() as u16 + 2).to_be_bytes());
        self.out.extend(body);
        match marker {
            0xE0 => *self.out.get_mut(start + 5)? = 1,
            // libjpeg ignores these parameters of a sequential scan, and warns of odd ones.
            SOS if matches!(self.frame, 0xC0 | 0xC1) => {
                let parameters = self.out.len().checked_sub(3)?;
                self.out.get_mut(parameters..)?.copy_from_slice(&[0, 63, 0]);
            }
            _ => {}
        }
        Some(())
    }

    /// Records which bits of which coefficients a scan contains.
    fn scan(&mut self, body: &[u8]) -> Option<()> {
        let (&count, rest) = body.split_first()?;
        let (ids, parameters) = rest.split_at_checked(usize::from(count) * 2)?;
        let &[first, last, bits] = parameters else { return None };
        let (first, last, missing) = if self.frame == 0xC2 { (first, last, bits & 15) } else { (0, 63, 0) };
        for id in ids.iter().step_by(2) {
            for (_, coefficients) in self.components.iter_mut().filter(|(component, _)| component == id) {
                coefficients.get_mut(usize::from(first)..=usize::from(last))?.fill(missing);
            }
        }
        Some(())
    }

    fn entropy_coded(&mut self, data: &[u8], strip_padding: bool) {
        if !strip_padding {
            self.out.extend(data);
            return;
        }
        let mut start = 0;
        let mut at = 0;
        while let Some((_, body)) = next_marker(data, at) {
            self.out.extend(without_padding(&data[start..body - 2]));
            self.out.extend(&data[body - 2..body]);
            (start, at) = (body, body);
        }
        self.out.extend(without_padding(&data[start..]));
    }

    /// `ended`: the file has an end marker. Without one, every scan must be present.
    fn finish(mut self, ended: bool) -> Option<Vec<u8>> {
        if self.components.is_empty() || !ended && self.components.iter().any(|(_, missing)| *missing != [0; 64]) {
            return None;
        }
        // libjpeg treats an unknown code as YCCK for four components, otherwise as YCbCr.
        let usual = if self.components.len() == 4 { 2 } else { 1 };
        if let Some(transform) = self.transform.and_then(|at| self.out.get_mut(at)).filter(|code| **code != 0) {
            *transform = usual;
        }
        self.out.extend([0xFF, EOI]);
        Some(self.out)
    }
}

fn without_padding(data: &[u8]) -> &[u8] {
    let Some(&last) = data.last() else { return data };
    let run = data.iter().rev().take_while(|&&b| b == last).count();
    if run >= PADDING { &data[..data.len() - run] } else { data }
}
