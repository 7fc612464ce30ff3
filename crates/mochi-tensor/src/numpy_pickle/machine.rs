//! Python's unpickling machine without its calls: opcodes of protocols 2 to 5 (`pickletools`) put values on a stack, and the dictionaries of the result are searched for
//! arrays.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::array::{Array, Bytes, KINDS};

/// Largest number of values in a pickle. Files of weights have some ten thousand.
const MOST_VALUES: usize = 4 << 20;
/// Deepest dictionary within dictionaries.
const DEPTH: usize = 32;

type Id = usize;

#[derive(Clone, Debug)]
enum Value {
    /// Anything that is not needed.
    Other,
    Mark,
    Integer(i64),
    Text(String),
    Bytes(Bytes),
    Items(Vec<Id>),
    Dictionary(Vec<(Id, Id)>),
    Global(String),
    Type {
        name: String,
        big_endian: bool,
    },
    /// An array that its state has not been given to.
    NewArray,
    Array(Result<Array, String>),
}

/// The machine.
pub(super) struct Machine<'a> {
    pickle: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    memo: HashMap<u32, Id>,
}

const ENDS: &str = "the pickle ends early";
const INCONSISTENT: &str = "the pickle takes more values than it has";

impl<'a> Machine<'a> {
    pub fn new(pickle: &'a [u8]) -> Self {
        Self { pickle, at: 0, values: Vec::new(), stack: Vec::new(), memo: HashMap::new() }
    }

    /// Runs the pickle and finds the arrays in its dictionaries, by their paths.
    pub fn arrays(mut self) -> Result<BTreeMap<String, Array>, String> {
        let root = self.run()?;
        let (mut found, mut left) = (BTreeMap::new(), MOST_VALUES);
        self.collect(root, String::new(), DEPTH, &mut left, &mut found)?;
        Ok(found)
    }

    /// Runs to the end and returns the object.
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let opcode = self.number(1)? as u8;
            match opcode {
                b'.' => return self.pop(),
                // The protocol, and the length of a frame.
                0x80 => self.skip(1)?,
                0x95 => self.skip(8)?,
                b'(' => self.push(Value::Mark)?,
                b'0' => {
                    self.pop()?;
                }
                b'1' => {
                    self.pop_to_mark()?;
                }
                b'2' => {
                    let top = *self.stack.last().ok_or(INCONSISTENT)?;
                    self.stack.push(top);
                }
                b'N' => self.push(Value::Other)?,
                0x88 | 0x89 => self.push(Value::Integer(i64::from(opcode == 0x88)))?,
                b'G' => {
                    self.skip(8)?;
                    self.push(Value::Other)?;
                }
                b'K' | b'M' | b'J' => {
                    let width = [(b'K', 1), (b'M', 2)].iter().find(|(code, _)| *code == opcode).map_or(4, |(_, n)| *n);
                    let number = self.number(width)?;
                    let signed = if width == 4 { i64::from(number as u32 as i32) } else { number as i64 };
                    self.push(Value::Integer(signed))?;
                }
                0x8a | 0x8b => {
                    let length = self.number(if opcode == 0x8a { 1 } else { 4 })?;
                    let bytes = self.part(length)?;
                    let value = signed(&self.pickle[bytes]);
                    self.push(value.map_or(Value::Other, Value::Integer))?;
                }
                b'U' | b'C' => self.bytes(1)?,
                b'T' | b'B' => self.bytes(4)?,
                0x8e | 0x96 => self.bytes(8)?,
                0x8c => self.text(1)?,
                b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b'}' => self.push(Value::Dictionary(Vec::new()))?,
                b']' | b')' | 0x8f => self.push(Value::Items(Vec::new()))?,
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(opcode - 0x84)).ok_or(INCONSISTENT)?;
                    let items = self.stack.split_off(from);
                    self.push(Value::Items(items))?;
                }
                b't' | b'l' | 0x91 => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Items(items))?;
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Dictionary(pairs(&items)))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(&[item])?;
                }
                b'e' | 0x90 => {
                    let items = self.pop_to_mark()?;
                    self.extend(&items)?;
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.set(&items)?;
                }
                b'h' | b'j' => {
                    let key = self.number(if opcode == b'h' { 1 } else { 4 })? as u32;
                    let id = *self.memo.get(&key).ok_or("the pickle refers to a value that it does not have")?;
                    self.stack.push(id);
                }
                b'q' | b'r' | 0x94 => {
                    let key = match opcode {
                        b'q' => self.number(1)? as u32,
                        b'r' => self.number(4)? as u32,
                        _ => self.memo.len() as u32,
                    };
                    self.memo.insert(key, *self.stack.last().ok_or(INCONSISTENT)?);
                }
                b'c' => {
                    let module = self.line()?.to_owned();
                    let name = self.line()?;
                    let whole = format!("{module}.{name}");
                    self.push(Value::Global(whole))?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let name = self.word(module).zip(self.word(name)).map(|(module, name)| format!("{module}.{name}"));
                    self.push(name.map_or(Value::Other, Value::Global))?;
                }
                b'R' | 0x81 => {
                    let (arguments, called) = (self.pop()?, self.pop()?);
                    let value = self.call(called, arguments);
                    self.push(value)?;
                }
                0x92 => {
                    for _ in 0..3 {
                        self.pop()?;
                    }
                    self.push(Value::Other)?;
                }
                b'b' => {
                    let state = self.pop()?;
                    let object = *self.stack.last().ok_or(INCONSISTENT)?;
                    self.build(object, state);
                }
                other => return Err(format!("the pickle has the unsupported opcode {other:#04x}")),
            }
            // Copies of references cost no value, so the stack has a limit of its own.
            if self.stack.len() > MOST_VALUES {
                return Err("the pickle has too many values".to_owned());
            }
        }
    }

    /// What a call would make, if it is an array, a part of one or a dictionary.
    fn call(&self, called: Id, arguments: Id) -> Value {
        let (Value::Global(name), Value::Items(arguments)) = (&self.values[called], &self.values[arguments]) else {
            return Value::Other;
        };
        let name = name.replace("numpy._core.", "numpy.core.");
        match (name.as_str(), &arguments[..]) {
            ("numpy.core.multiarray._reconstruct", _) => Value::NewArray,
            ("numpy.core.numeric._frombuffer", &[bytes, kind, shape, order]) => {
                Value::Array(self.array(shape, kind, self.word(order) == Some("F"), bytes))
            }
            ("numpy.dtype", &[name, ..]) => match self.word(name) {
                Some(name) => Value::Type { name: name.to_owned(), big_endian: false },
                None => Value::Other,
            },
            ("_codecs.encode", &[text, _]) => match &self.values[text] {
                // Latin-1, in which a character is a byte.
                Value::Text(text) => Value::Bytes(Bytes::Decoded(text.chars().map(|c| c as u32 as u8).collect())),
                _ => Value::Other,
            },
            ("__builtin__.bytes" | "builtins.bytes", []) => Value::Bytes(Bytes::Decoded(Vec::new())),
            ("collections.OrderedDict", []) => Value::Dictionary(Vec::new()),
            _ => Value::Other,
        }
    }

    /// Gives an object its state.
    fn build(&mut self, object: Id, state: Id) {
        let Value::Items(state) = &self.values[state] else { return };
        let built = match (&self.values[object], &state[..]) {
            (Value::NewArray, &[_, shape, kind, columns_first, bytes]) => {
                let columns_first = matches!(self.values[columns_first], Value::Integer(n) if n != 0);
                Value::Array(self.array(shape, kind, columns_first, bytes))
            }
            (Value::Type { name, .. }, &[_, order, ..]) => {
                Value::Type { name: name.clone(), big_endian: self.word(order) == Some(">") }
            }
            _ => return,
        };
        self.values[object] = built;
    }

    fn array(&self, shape: Id, kind: Id, columns_first: bool, bytes: Id) -> Result<Array, String> {
        let Value::Type { name, big_endian } = &self.values[kind] else {
            return Err("an array has no type".to_owned());
        };
        let kind = KINDS.iter().find(|(own, _)| own == name).map(|(_, kind)| *kind);
        let kind = kind.filter(|_| !big_endian).ok_or_else(|| format!("it has the unsupported type {name}"))?;
        let Value::Items(sides) = &self.values[shape] else { return Err("an array has no shape".to_owned()) };
        let side = |&id: &Id| match self.values[id] {
            Value::Integer(side) if side >= 0 => Ok(side),
            _ => Err("its shape is not a list of numbers".to_owned()),
        };
        let shape = sides.iter().map(side).collect::<Result<Vec<i64>, _>>()?;
        let Value::Bytes(bytes) = &self.values[bytes] else { return Err("its values are no numbers".to_owned()) };
        let elements = shape.iter().try_fold(1usize, |all, &side| all.checked_mul(usize::try_from(side).ok()?));
        let length = bytes.of(self.pickle).len();
        if elements.and_then(|count| count.checked_mul(kind.elt_size_in_bytes())) != Some(length) {
            return Err(format!("it has the shape {shape:?} but {length} bytes"));
        }
        Ok(Array { kind, shape, columns_first, bytes: bytes.clone() })
    }

    /// Finds the arrays in an object.
    fn collect(
        &self,
        id: Id,
        path: String,
        depth: usize,
        left: &mut usize,
        found: &mut BTreeMap<String, Array>,
    ) -> Result<(), String> {
        *left = left.checked_sub(1).ok_or("the pickle has too many values")?;
        match &self.values[id] {
            Value::Array(array) => {
                let array = array.as_ref().map_err(|reason| format!("\"{path}\" cannot be read: {reason}"))?;
                found.insert(path, array.clone());
            }
            Value::Dictionary(pairs) if depth > 0 => {
                for &(key, value) in pairs {
                    let Some(key) = self.word(key) else { continue };
                    let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                    self.collect(value, path, depth - 1, left, found)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A string of Python 3, or a short one of Python 2.
    fn word(&self, id: Id) -> Option<&str> {
        match &self.values[id] {
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes.of(self.pickle)).ok(),
            _ => None,
        }
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MOST_VALUES {
            return Err("the pickle has too many values".to_owned());
        }
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| INCONSISTENT.to_owned())
    }

    /// Takes what is above the last mark, and the mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.stack.iter().rposition(|&id| matches!(self.values[id], Value::Mark)).ok_or(INCONSISTENT)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn extend(&mut self, items: &[Id]) -> Result<(), String> {
        let target = *self.stack.last().ok_or(INCONSISTENT)?;
        if let Value::Items(own) = &mut self.values[target] {
            own.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let target = *self.stack.last().ok_or(INCONSISTENT)?;
        if let Value::Dictionary(own) = &mut self.values[target] {
            own.extend(pairs(items));
        }
        Ok(())
    }

    fn bytes(&mut self, width: usize) -> Result<(), String> {
        let length = self.number(width)?;
        let part = self.part(length)?;
        self.push(Value::Bytes(Bytes::Part(part)))
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let length = self.number(width)?;
        let part = self.part(length)?;
        let text = std::str::from_utf8(&self.pickle[part]).map_err(|_| "the pickle has text that is not UTF-8")?;
        self.push(Value::Text(text.to_owned()))
    }

    /// An unsigned number of at most eight bytes, the lowest first.
    fn number(&mut self, width: usize) -> Result<usize, String> {
        let part = self.part(width)?;
        let number = self.pickle[part].iter().rev().fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        usize::try_from(number).map_err(|_| ENDS.to_owned())
    }

    fn part(&mut self, length: usize) -> Result<Range<usize>, String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.pickle.len()).ok_or(ENDS)?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(start..end)
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        self.part(length).map(|_| ())
    }

    fn line(&mut self) -> Result<&str, String> {
        let length = self.pickle[self.at..].iter().position(|&byte| byte == b'\n').ok_or(ENDS)?;
        let part = self.part(length + 1)?;
        std::str::from_utf8(&self.pickle[part.start..part.end - 1])
            .map_err(|_| "the pickle has a name that is not UTF-8".to_owned())
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A number in two's complement of at most eight bytes, the lowest first.
fn signed(bytes: &[u8]) -> Option<i64> {
    let mut whole = [if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xFF } else { 0 }; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}
