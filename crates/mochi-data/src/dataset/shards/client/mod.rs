//! Blocking client for ranged reads, with its own threads.
//!
//! A request is repeated after 0.25, 0.5, 1, ... s if that can help (no connection, a timeout, an interrupted response, status 5xx), but not if it
//! cannot (not found, not allowed, no range support, an invalid certificate, a response that is too long). Each attempt and the whole request have
//! a time limit. A thread that waits for a silent server cannot be interrupted; it is detached and ends at its time limit.

mod encode;
mod http;
mod s3;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address::Address;
use super::lost::{Lost, RemoteOptions};
use super::part::Part;
use crate::cancel::Cancel;
use http::{Failure, Fetcher};

/// Number of concurrent requests.
const THREADS: usize = 16;
/// Stack size: a request needs little, and TLS about 32 KiB.
const STACK_BYTES: usize = 512 << 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Interval at which a wait checks for cancellation.
const TICK: Duration = Duration::from_millis(50);
/// Attempts and time until a server has responded once, so that a wrong address fails quickly.
const FIRST_CONTACT: (u32, Duration) = (3, Duration::from_secs(10));

/// Bytes, or the error of the request.
pub(super) type Answer = Result<Vec<u8>, Lost>;

/// A remote folder.
pub(super) struct Client(Arc<Shared>);

struct Shared {
    fetcher: Fetcher,
    options: RemoteOptions,
    /// Whether the server has responded, with any status.
    answered: AtomicBool,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Job {
    name: String,
    part: Part,
    abandoned: Cancel,
    then: Box<dyn FnOnce(Answer) + Send>,
}

/// A request in progress. Dropping it abandons the request.
#[derive(Debug)]
pub(super) struct Request(Cancel);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.request();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.0.fetcher.folder()).finish()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.closed = true;
        queue.jobs.clear();
        self.0.changed.notify_all();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queue> {
    shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Makes a client for the folder `address`, without sending a request.
    pub(super) fn new(address: &Address, options: &RemoteOptions) -> Result<Self, Lost> {
        let fetcher = Fetcher::new(address, options, THREADS)?;
        Ok(Self(Arc::new(Shared {
            fetcher,
            options: options.clone(),
            answered: AtomicBool::new(false),
            queue: Mutex::default(),
            changed: Condvar::new(),
        })))
    }

    /// Reads one file or a part of it.
    pub(super) fn read(&self, name: &str, part: Part, cancel: &Cancel) -> Answer {
        let (sender, receiver) = channel();
        let _request = self.begin(name, part, move |answer| {
            let _ = sender.send(answer);
        })?;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !cancel.requested() => {}
                Err(_) => return Err(Lost::Canceled),
            }
        }
    }

    /// Reads whole files, each at most `limits` bytes, in their order.
    pub(super) fn read_all(&self, names: &[(String, u64)], cancel: &Cancel) -> Result<Vec<Vec<u8>>, Lost> {
        let mut answers = Vec::with_capacity(names.len());
        for names in names.chunks(THREADS) {
            let (sender, receiver) = channel();
            let mut requests = Vec::with_capacity(names.len());
            for (at, (name, limit)) in names.iter().enumerate() {
                let sender = sender.clone();
                requests.push(self.begin(name, Part::Whole(*limit), move |answer| {
                    let _ = sender.send((at, answer));
                })?);
            }
            drop(sender);
            let mut arrived: Vec<Option<Answer>> = names.iter().map(|_| None).collect();
            while arrived.iter().any(Option::is_none) {
                match receiver.recv_timeout(TICK) {
                    Ok((at, answer)) => {
                        if let Some(slot) = arrived.get_mut(at) {
                            *slot = Some(answer);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) if !cancel.requested() => {}
                    Err(_) => return Err(Lost::Canceled),
                }
            }
            for answer in arrived.into_iter().flatten() {
                answers.push(answer?);
            }
        }
        Ok(answers)
    }

    /// Requests a part of a file without waiting; `then` is called with the result on a thread of the client.
    pub(super) fn begin(
        &self,
        name: &str,
        part: Part,
        then: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<Request, Lost> {
        let abandoned = Cancel::default();
        let job = Job { name: name.to_owned(), part, abandoned: abandoned.clone(), then: Box::new(then) };
        let mut queue = lock(&self.0);
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && queue.threads < THREADS {
            let shared = self.0.clone();
            let builder = std::thread::Builder::new().name("mochi-remote".into()).stack_size(STACK_BYTES);
            match builder.spawn(move || work(&shared)) {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    let address = self.0.fetcher.folder().to_string();
                    return Err(Lost::Unusable { address, detail: format!("cannot start a thread: {error}") });
                }
                // The existing threads will process the request.
                Err(_) => {}
            }
        }
        drop(queue);
        self.0.changed.notify_one();
        Ok(Request(abandoned))
    }
}

/// Processes requests until the client is dropped.
fn work(shared: &Shared) {
    loop {
        let job = {
            let mut queue = lock(shared);
            queue.idle += 1;
            let job = loop {
                if queue.closed {
                    return;
                }
                match queue.jobs.pop_front() {
                    Some(job) => break job,
                    None => queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                }
            };
            queue.idle -= 1;
            job
        };
        let answer = read(shared, &job);
        (job.then)(answer);
    }
}

/// All attempts of one request.
fn read(shared: &Shared, job: &Job) -> Answer {
    let (begun, options) = (Instant::now(), &shared.options);
    let mut pause = options.first_pause;
    let mut tries = 1;
    loop {
        if job.abandoned.requested() {
            return Err(Lost::Canceled);
        }
        let Failure { detail, missing, retry, answered } =
            match shared.fetcher.once(&job.name, &job.part, &job.abandoned) {
                Ok(bytes) => {
                    shared.answered.store(true, Ordering::Relaxed);
                    return Ok(bytes);
                }
                Err(failure) => failure,
            };
        shared.answered.fetch_or(answered, Ordering::Relaxed);
        let (most, time_limit) = match shared.answered.load(Ordering::Relaxed) {
            true => (options.tries, options.time_limit),
            false => (options.tries.min(FIRST_CONTACT.0), options.time_limit.min(FIRST_CONTACT.1)),
        };
        if !retry || tries >= most || begun.elapsed() + pause > time_limit {
            let url = shared.fetcher.folder().file(&job.name).to_string();
            return Err(Lost::Failed { url, tries, detail, missing });
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && !job.abandoned.requested() {
            std::thread::sleep(TICK.min(until.saturating_duration_since(Instant::now())));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        tries += 1;
    }
}
