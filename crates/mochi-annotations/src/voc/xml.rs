//! One XML file of PASCAL VOC.
//!
//! Read are `size/width`, `size/height` and of each `object` its `name`, `difficult` and `bndbox`. Parts of objects, poses and other elements are
//! ignored. Entities that a file defines itself are not expanded: a file that uses one is malformed.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Elements within elements; published files have 4.
const DEPTH: usize = 64;
/// Longest text of an element that is read, in bytes.
const TEXT: usize = 4096;

/// What a file says about its image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Annotation {
    pub(crate) filename: Option<String>,
    pub(crate) width: Option<String>,
    pub(crate) height: Option<String>,
    pub(crate) objects: Vec<RawObject>,
}

/// An object as the file has it; numbers are not parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RawObject {
    pub(crate) name: Option<String>,
    pub(crate) difficult: Option<String>,
    /// xmin, ymin, xmax, ymax.
    pub(crate) bounds: [Option<String>; 4],
}

/// Parses a file. Errors say what is wrong and at which byte.
pub(crate) fn parse(bytes: &[u8]) -> Result<Annotation, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut reader = Reader::from_str(text);
    let mut annotation = Annotation::default();
    // Names of the open elements, and the text of the innermost one.
    let (mut path, mut content, mut rooted) = (Vec::<String>::new(), String::new(), false);
    loop {
        let at = reader.buffer_position();
        let wrong = |detail: String| format!("{detail} (byte {at})");
        match reader.read_event().map_err(|error| wrong(error.to_string()))? {
            Event::Start(start) => {
                if path.len() >= DEPTH {
                    return Err(wrong(format!("elements are nested more than {DEPTH} deep")));
                }
                path.push(name_of(&start));
                rooted = true;
                content.clear();
                annotation.open(&names(&path)).map_err(wrong)?;
            }
            Event::Empty(empty) => {
                path.push(name_of(&empty));
                rooted = true;
                annotation.open(&names(&path)).map_err(wrong)?;
                path.pop();
            }
            Event::Text(text) => push(&mut content, &text.decode().map_err(|error| wrong(error.to_string()))?),
            Event::CData(text) => push(&mut content, &text.decode().map_err(|error| wrong(error.to_string()))?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| wrong(error.to_string()))?;
                let character = reference.resolve_char_ref().map_err(|error| wrong(error.to_string()))?;
                match (character, quick_xml::escape::resolve_predefined_entity(&name)) {
                    (Some(character), _) => push(&mut content, character.encode_utf8(&mut [0; 4])),
                    (None, Some(text)) => push(&mut content, text),
                    (None, None) => return Err(wrong(format!("the entity &{name}; is not known"))),
                }
            }
            Event::End(_) => {
                annotation.close(&names(&path), content.trim());
                path.pop();
                content.clear();
            }
            Event::Eof if !path.is_empty() => return Err(wrong(format!("the file ends within <{}>", path.join("><")))),
            Event::Eof if !rooted => return Err("the file has no elements".to_owned()),
            Event::Eof => return Ok(annotation),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn name_of(start: &BytesStart) -> String {
    String::from_utf8_lossy(start.name().as_ref()).into_owned()
}

fn names(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn push(content: &mut String, text: &str) {
    if content.len() + text.len() <= TEXT {
        content.push_str(text);
    }
}

impl Annotation {
    /// Begins an element. An object without content counts, so that its absence is noticed.
    fn open(&mut self, path: &[&str]) -> Result<(), String> {
        match path {
            ["annotation", "object"] => self.objects.push(RawObject::default()),
            [root] if *root != "annotation" => return Err(format!("the root is <{root}>, expected <annotation>")),
            _ => {}
        }
        Ok(())
    }

    /// Takes the text of an element that ends. The first of several elements of one name counts, as in detectron2's `find`.
    fn close(&mut self, path: &[&str], text: &str) {
        let object = self.objects.last_mut();
        let place = match (path, object) {
            (["annotation", "filename"], _) => &mut self.filename,
            (["annotation", "size", "width"], _) => &mut self.width,
            (["annotation", "size", "height"], _) => &mut self.height,
            (["annotation", "object", "name"], Some(object)) => &mut object.name,
            (["annotation", "object", "difficult"], Some(object)) => &mut object.difficult,
            (["annotation", "object", "bndbox", side], Some(object)) => {
                match ["xmin", "ymin", "xmax", "ymax"].iter().position(|known| known == side) {
                    Some(side) => &mut object.bounds[side],
                    None => return,
                }
            }
            _ => return,
        };
        place.get_or_insert_with(|| text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn parts_and_other_elements_are_ignored() {
        let xml = "\u{feff}<?xml version=\"1.0\"?><annotation><folder>VOC</folder><filename>a &amp; b.jpg</filename>
            <size><width> 500 </width><height>375</height><depth>3</depth></size>
            <object><part><name>head</name><bndbox><xmin>9</xmin></bndbox></part><name>person</name><pose/><truncated>1</truncated>
            <difficult>1</difficult><bndbox><xmax>4.5</xmax><xmin>1</xmin><ymin>2</ymin><ymax>7</ymax></bndbox></object>
            <object><name><![CDATA[cat]]></name></object></annotation>";
        let annotation = parse(xml.as_bytes()).unwrap();
        assert_eq!((annotation.filename, annotation.width), (text("a & b.jpg"), text("500")));
        let person = RawObject {
            name: text("person"),
            difficult: text("1"),
            bounds: [text("1"), text("2"), text("4.5"), text("7")],
        };
        assert_eq!(annotation.objects, [person, RawObject { name: text("cat"), ..RawObject::default() }]);
    }

    #[test]
    fn malformed_files_are_errors() {
        let bomb =
            "<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;\">]><annotation><filename>&y;</filename></annotation>";
        let deep = "<annotation>".repeat(100_000);
        for (xml, wanted) in [
            ("", "no elements"),
            ("not XML", "no elements"),
            ("<annotation><size>", "ends within <annotation><size>"),
            ("<annotation></size>", "size"),
            ("<annotation", "byte"),
            ("<html/>", "the root is <html>"),
            (bomb, "entity &y; is not known"),
            (&deep, "more than 64 deep"),
        ] {
            let error = parse(xml.as_bytes()).unwrap_err();
            assert!(error.contains(wanted), "{error} ({wanted})");
        }
        assert_eq!(parse(b"<annotation>\xff</annotation>").unwrap_err(), "byte 12 is not UTF-8");
    }
}
