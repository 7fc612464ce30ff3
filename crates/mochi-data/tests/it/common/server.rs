//! A web server for the tests: files of a folder, with ranges, on 127.0.0.1, that misbehaves on command.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and one that meets an error has failed"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The bytes asked for.
    Good,
    /// 503, on every request for a part whose number is not a multiple of three.
    Busy,
    /// Half of the answer, then the connection is closed; as often as [`Manner::Busy`].
    Breaking,
    /// 503 on every request for a part.
    Down,
    /// No answer at all.
    Silent,
    /// A byte every tenth of a second.
    Dripping,
    /// Everything, whatever part was asked for, as servers without ranges do.
    Whole,
    /// Good, after this many milliseconds.
    Late(u64),
    /// A redirect to the same path at this port of 127.0.0.1.
    Elsewhere(u16),
    /// A redirect to the same file below `/moved` on this server.
    Moved,
    /// A redirect to a file of the system.
    ToFile,
    /// An honest length of 8 GiB, and as many bytes as the client takes.
    Huge,
    /// The right range and no length; then bytes without end.
    Endless,
    /// 404 with a body without end.
    LongError,
    /// Secrets and control characters in the text of an error.
    Echo,
}

struct Shared {
    root: PathBuf,
    manner: Mutex<Manner>,
    /// Times that each (file, range) was asked for.
    asked: Mutex<BTreeMap<(String, String), usize>>,
    /// Requests that carried a signature.
    signed: AtomicUsize,
    /// First lines and headers of all requests.
    requests: Mutex<Vec<String>>,
    /// Bytes of bodies without end that clients took.
    taken: AtomicUsize,
    closed: AtomicBool,
}

/// A running server; dropping it closes it.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Server {
    pub fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: root.into(),
            manner: Mutex::new(Manner::Good),
            asked: Mutex::default(),
            signed: AtomicUsize::new(0),
            requests: Mutex::default(),
            taken: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let accept = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accept.closed.load(Ordering::Relaxed) {
                    return;
                }
                let shared = accept.clone();
                // A client that goes away in the middle is no failure of the server.
                std::thread::spawn(move || stream.map(|s| serve(&shared, s)));
            }
        });
        Self { shared, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Requests with an S3 signature so far.
    pub fn signed(&self) -> usize {
        self.shared.signed.load(Ordering::Relaxed)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far: first line and headers.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Bytes of bodies without end that clients took.
    pub fn taken(&self) -> usize {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// Requests for parts of files so far.
    pub fn parts_asked(&self) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|((_, range), _)| !range.is_empty()).map(|(_, n)| n).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Sends zeros until the client goes away, 1 GiB at most.
fn endless(shared: &Shared, out: &mut TcpStream) -> std::io::Result<()> {
    let zeros = vec![0u8; 64 << 10];
    for _ in 0..(1 << 30) / zeros.len() {
        out.write_all(&zeros)?;
        shared.taken.fetch_add(zeros.len(), Ordering::Relaxed);
    }
    Ok(())
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut range = String::new();
        let mut request = first.clone();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            request.push_str(&line);
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            if name.eq_ignore_ascii_case("authorization") && value.contains("AWS4-HMAC-SHA256") {
                shared.signed.fetch_add(1, Ordering::Relaxed);
            }
            if name.eq_ignore_ascii_case("range") {
                range = value.trim().trim_start_matches("bytes=").to_owned();
            }
        }
        shared.requests.lock().unwrap().push(request);
        let target = first.split(' ').nth(1).unwrap_or("/").to_owned();
        let path = first.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/").to_owned();
        let times = {
            let mut asked = shared.asked.lock().unwrap();
            let times = asked.entry((path.clone(), range.clone())).or_insert(0);
            *times += 1;
            *times
        };
        let manner = *shared.manner.lock().unwrap();
        let bad_turn = !range.is_empty() && !times.is_multiple_of(3);
        if let Manner::Late(milliseconds) = manner {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        let redirect = match manner {
            Manner::Elsewhere(port) => Some(format!("http://127.0.0.1:{port}{target}")),
            Manner::Moved if !path.starts_with("/moved/") => Some(format!("/moved{target}")),
            Manner::ToFile => Some("file:///etc/passwd".to_owned()),
            _ => None,
        };
        if let Some(to) = redirect {
            write!(out, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        if manner == Manner::LongError {
            write!(out, "HTTP/1.1 404 Not Found\r\n\r\n")?;
            return endless(shared, &mut out);
        }
        if manner == Manner::Echo {
            let body = format!("\x1b]0;OWNED\x07\x1b[2J no {target}");
            write!(out, "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            continue;
        }
        let path = path.strip_prefix("/moved").unwrap_or(&path).to_owned();
        let file = std::fs::read(shared.root.join(path.trim_start_matches('/')));
        let Ok(bytes) = file else {
            write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        if (manner == Manner::Busy && bad_turn) || (manner == Manner::Down && !range.is_empty()) {
            write!(out, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")?;
            continue;
        }
        if manner == Manner::Silent {
            while !shared.closed.load(Ordering::Relaxed) && *shared.manner.lock().unwrap() == Manner::Silent {
                std::thread::sleep(Duration::from_millis(20));
            }
            return Ok(());
        }
        let total = bytes.len();
        let part = range.split_once('-').and_then(|(a, b)| {
            let (a, b) = (a.parse::<usize>().ok()?, b.parse::<usize>().ok()?.min(total.saturating_sub(1)));
            Some(a..b + 1)
        });
        let body = match part.clone().filter(|_| manner != Manner::Whole) {
            Some(part) if part.start < total => {
                let (from, to) = (part.start, part.end - 1);
                write!(out, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{total}\r\n")?;
                &bytes[part]
            }
            Some(_) => {
                write!(out, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
            None => {
                write!(out, "HTTP/1.1 200 OK\r\n")?;
                &bytes[..]
            }
        };
        if manner == Manner::Huge {
            write!(out, "Content-Length: {}\r\n\r\n", 8u64 << 30)?;
            return endless(shared, &mut out);
        }
        if manner == Manner::Endless {
            write!(out, "Connection: close\r\n\r\n")?;
            return endless(shared, &mut out);
        }
        write!(
            out,
            "Content-Length: {}\r\nETag: \"x\"\r\nLast-Modified: Tue, 24 Nov 2020 06:00:00 GMT\r\n\r\n",
            body.len()
        )?;
        if manner == Manner::Breaking && bad_turn {
            return out.write_all(&body[..body.len() / 2]);
        }
        if manner == Manner::Dripping && !range.is_empty() {
            for byte in body {
                out.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        out.write_all(body)?;
    }
}
