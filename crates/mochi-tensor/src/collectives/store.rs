//! The store through which ranks find each other.

use std::ffi::{CString, c_int, c_void};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::TensorError;
use crate::ffi::{self, RawStore};

/// Key of the first failure of a rank, with its reason.
pub(super) const FAILURE: &str = "failure";

/// Pauses between two looks at a key that is not there yet: short at first.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// How long the greeting of a store may take after the connection is made.
const GREETING: Duration = Duration::from_secs(2);
const NO_STORE: &str = "a program answers there that is not the store of the ranks; check MASTER_ADDR and MASTER_PORT";

/// Where a store listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address of the host.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Keys and values that all ranks see.
#[derive(Debug)]
pub struct Store {
    raw: *mut RawStore,
    /// Ends waiting.
    stop: Option<Arc<AtomicBool>>,
    /// Whether this process serves it, so that it holds no keys of an earlier start.
    served_here: bool,
    /// Whether an answer did not come in time. It can still come, as that of a later question, so that nothing is asked any more.
    silent: Arc<AtomicBool>,
}

// SAFETY: c10d's stores are made for use from several threads: each call takes the store's lock.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// A store served by this process on a free port of every network interface, for processes that it starts. Serves until it is dropped.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where no port can be opened.
    pub fn serve() -> Result<(Self, u16), TensorError> {
        let (mut port, mut raw) = (0, std::ptr::null_mut());
        // SAFETY: valid places for a number and a handle.
        ffi::check(unsafe { ffi::mochi_store_serve(&mut port, &mut raw) }).map_err(|e| failed("open a store", &e))?;
        let port = u16::try_from(port).map_err(|_| TensorError::Collective(format!("a store on port {port}")))?;
        Ok((Self::of(raw, true), port))
    }

    fn of(raw: *mut RawStore, served_here: bool) -> Self {
        Self { raw, stop: None, served_here, silent: Arc::default() }
    }

    /// The store at `address`, which this process serves if `serve`. Keys of another `prefix` are not seen. An answer of it is waited for as long as `answer`.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where nothing answers in the time `within`, the host's name is unknown, or the port is in use.
    pub fn connect(
        address: &Address,
        serve: bool,
        size: usize,
        prefix: &str,
        within: Duration,
        answer: Duration,
    ) -> Result<Self, TensorError> {
        let action = if serve { format!("serve at {address}") } else { format!("reach rank 0 at {address}") };
        // c10d tries an unknown name until its time is up, and then says no more than that.
        (address.host.as_str(), address.port).to_socket_addrs().map_err(|error| {
            TensorError::Collective(format!("cannot {action}: the host {:?} is unknown ({error})", address.host))
        })?;
        let (host, prefix, port) = (c_string(&address.host)?, c_string(prefix)?, address.port);
        let (sender, receiver) = std::sync::mpsc::channel();
        // On a thread of its own, which is left behind if a program answers there that is no store: c10d waits for its greeting without an end.
        let connect = move || {
            let mut raw = std::ptr::null_mut();
            // SAFETY: NUL-terminated texts that outlive the call, a valid place for a handle.
            let status = unsafe {
                ffi::mochi_store_connect(
                    host.as_ptr(),
                    c_int::from(port),
                    serve.into(),
                    int(size),
                    prefix.as_ptr(),
                    millis(within),
                    millis(answer),
                    &mut raw,
                )
            };
            let _ = sender.send(ffi::check(status).map(|()| Self::of(raw, serve)));
        };
        let cannot = |reason: &str| TensorError::Collective(format!("cannot {action}: {reason}"));
        std::thread::Builder::new()
            .name("mochi-store".to_owned())
            .spawn(connect)
            .map_err(|error| cannot(&format!("no thread can be started ({error})")))?;
        match receiver.recv_timeout(within + GREETING) {
            Ok(Ok(store)) => Ok(store),
            Ok(Err(error)) if error.to_string().contains("EADDRINUSE") => {
                Err(cannot(&format!("another program uses port {port}; choose another MASTER_PORT")))
            }
            Ok(Err(error)) if error.to_string().contains("Ping failed") => Err(cannot(NO_STORE)),
            Ok(Err(error)) => Err(failed(&action, &error)),
            Err(_) => Err(cannot(NO_STORE)),
        }
    }

    /// A store within this process, for ranks that are threads.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn local() -> Result<Self, TensorError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: a valid place for a handle.
        ffi::check(unsafe { ffi::mochi_store_local(&mut raw) })?;
        Ok(Self::of(raw, true))
    }

    /// The same, whose waits end with an error once the flag is set.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        let mut own = self;
        own.stop = Some(stop);
        own
    }

    /// The same store, in which all keys begin with `prefix`.
    ///
    /// # Errors
    /// libtorch's error.
    pub fn within(&self, prefix: &str) -> Result<Self, TensorError> {
        let (prefix, mut raw) = (c_string(prefix)?, std::ptr::null_mut());
        // SAFETY: a live store, a NUL-terminated text, a valid place for a handle.
        ffi::check(unsafe { ffi::mochi_store_within(self.raw, prefix.as_ptr(), &mut raw) })?;
        Ok(Self { raw, stop: self.stop.clone(), served_here: self.served_here, silent: Arc::clone(&self.silent) })
    }

    /// Whether this process serves the store, so that it holds no keys of an earlier start.
    pub(super) fn served_here(&self) -> bool {
        self.served_here
    }

    /// Sets a key.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where the store is gone.
    pub fn set(&self, key: &str, value: &str) -> Result<(), TensorError> {
        let (name, action) = (c_string(key)?, "write to the store of rank 0");
        self.answers(action)?;
        // SAFETY: a live store, a NUL-terminated key, and bytes of the length told; the shim copies them.
        ffi::check(unsafe { ffi::mochi_store_set(self.raw, name.as_ptr(), value.as_ptr(), value.len()) })
            .map_err(|error| self.failed(action, &error))
    }

    /// A key's value, if it was set.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where the store is gone.
    pub fn get(&self, key: &str) -> Result<Option<String>, TensorError> {
        extern "C" fn take(context: *mut c_void, bytes: *const u8, length: usize) {
            if length == 0 {
                return; // an empty C++ vector has no address
            }
            // SAFETY: `context` is the vector below, and the shim hands over `length` bytes that live during this call.
            let (out, bytes) = unsafe { (&mut *context.cast::<Vec<u8>>(), std::slice::from_raw_parts(bytes, length)) };
            out.extend_from_slice(bytes);
        }
        let (name, action) = (c_string(key)?, "read from the store of rank 0");
        self.answers(action)?;
        let (mut there, mut value) = (0, Vec::<u8>::new());
        let gone = |error: TensorError| self.failed(action, &error);
        // SAFETY: a live store, a NUL-terminated key, a valid place for a number.
        ffi::check(unsafe { ffi::mochi_store_has(self.raw, name.as_ptr(), &mut there) }).map_err(gone)?;
        if there == 0 {
            return Ok(None);
        }
        // SAFETY: as above; `take` is called at most once, with the vector that is passed beside it.
        ffi::check(unsafe { ffi::mochi_store_get(self.raw, name.as_ptr(), (&raw mut value).cast(), take) })
            .map_err(gone)?;
        Ok(Some(String::from_utf8_lossy(&value).into_owned()))
    }

    /// A key's value as soon as it is set; `None` after `within`. Ends early where a rank reports a failure.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where the store is gone, or another rank failed.
    pub fn wait(&self, key: &str, within: Duration) -> Result<Option<String>, TensorError> {
        let (begun, mut pause) = (Instant::now(), PAUSES[0]);
        loop {
            if let Some(value) = self.get(key)? {
                return Ok(Some(value));
            }
            if let Some(failure) = self.get(FAILURE)? {
                return Err(TensorError::Collective(failure));
            }
            if begun.elapsed() >= within {
                return Ok(None);
            }
            self.check_stop()?;
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Fails after an answer that did not come.
    fn answers(&self, action: &str) -> Result<(), TensorError> {
        match self.silent.load(Ordering::Relaxed) {
            true => Err(TensorError::Collective(format!("cannot {action}: it does not answer"))),
            false => Ok(()),
        }
    }

    fn failed(&self, action: &str, error: &TensorError) -> TensorError {
        if error.to_string().contains("Socket Timeout") {
            self.silent.store(true, Ordering::Relaxed);
            return TensorError::Collective(format!("cannot {action}: it does not answer"));
        }
        failed(action, error)
    }

    /// Checks whether a stop was asked for.
    pub(super) fn check_stop(&self) -> Result<(), TensorError> {
        match self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            true => Err(TensorError::Collective("stopped while waiting for other ranks".to_owned())),
            false => Ok(()),
        }
    }

    /// For the shim.
    pub(super) fn raw(&self) -> *mut RawStore {
        self.raw
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the handle is live and not used afterwards.
        unsafe { ffi::mochi_store_close(self.raw) }
    }
}

/// What could not be done, and what c10d says.
fn failed(action: &str, error: &TensorError) -> TensorError {
    let detail = match error {
        TensorError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    TensorError::Collective(format!("cannot {action}: {detail}"))
}

/// A text for the shim.
pub(super) fn c_string(text: &str) -> Result<CString, TensorError> {
    CString::new(text).map_err(|_| TensorError::Collective(format!("{text:?} contains a NUL")))
}

/// A number for the shim.
pub(super) fn int(n: usize) -> c_int {
    c_int::try_from(n).unwrap_or(c_int::MAX)
}

/// Milliseconds for the shim.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
