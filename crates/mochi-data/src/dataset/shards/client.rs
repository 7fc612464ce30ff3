//! The one asynchronous file: a small blocking client over `object_store`, with our own patience.
//!
//! A request is tried again after 0.25, 0.5, 1, ... s where trying again can help (no connection, a time-out, a connection that breaks
//! in the middle of an answer, a server's 5xx), and not where it cannot (not there, not allowed, no ranges). Every try has a time limit, and so
//! have all together: nothing hangs. `object_store`'s own retries are off, because they do not cover an answer that breaks off.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientConfigKey, Error, GetOptions, GetRange, ObjectStore, RetryConfig};
use tokio::runtime::Runtime;

use super::remote::{Lost, RemoteOptions};

/// Whole small files asked for at once.
const TOGETHER: usize = 16;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Bytes, or why they did not come.
pub(super) type Answer = Result<Vec<u8>, Lost>;

/// A folder behind an address.
pub(super) struct Client {
    reader: Reader,
    /// Taken when dropped: a name look-up that hangs shall not be waited for.
    runtime: Option<Runtime>,
}

/// What a request needs, apart from the threads that drive it.
#[derive(Clone)]
struct Reader {
    store: Arc<dyn ObjectStore>,
    /// The address for messages, without user and password, ending in a slash.
    shown: String,
    prefix: Path,
    options: RemoteOptions,
}

/// A request under way; dropping it gives it up.
#[derive(Debug)]
pub(super) struct Request(tokio::task::JoinHandle<()>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.reader.shown).finish()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    /// A client for the folder `address` (no slash at its end is needed). Nothing is asked for yet.
    pub(super) fn new(address: &str, options: &RemoteOptions) -> Result<Self, Lost> {
        let wrong = |detail: String| Lost { url: address.to_owned(), tries: 0, detail, missing: false };
        let url = url::Url::parse(address.trim_end_matches('/')).map_err(|e| wrong(e.to_string()))?;
        let mut shown = url.clone();
        // Errors and logs are shown around: no secrets in them.
        let _ = (shown.set_username(""), shown.set_password(None));
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let limits = [
            (ClientConfigKey::AllowHttp, "true".to_owned()),
            (ClientConfigKey::Timeout, format!("{}ms", options.timeout.as_millis())),
            (ClientConfigKey::ConnectTimeout, format!("{}ms", options.connect_timeout.as_millis())),
        ];
        let (store, prefix): (Arc<dyn ObjectStore>, Path) = if url.scheme() == "s3" {
            let bucket = url.host_str().ok_or_else(|| wrong("it names no bucket".into()))?;
            // Keys, region and endpoint as every S3 program takes them: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, ...
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
            for (key, value) in limits {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            let prefix = Path::from_url_path(url.path()).map_err(|e| wrong(e.to_string()))?;
            (Arc::new(builder.build().map_err(|e| wrong(words(&e)))?), prefix)
        } else {
            let mut builder = HttpBuilder::new().with_url(url.as_str().trim_end_matches('/')).with_retry(retry);
            for (key, value) in limits {
                builder = builder.with_config(key, value);
            }
            (Arc::new(builder.build().map_err(|e| wrong(words(&e)))?), Path::default())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mochi-remote")
            .enable_all()
            .build()
            .map_err(|e| wrong(e.to_string()))?;
        let shown = format!("{}/", shown.as_str().trim_end_matches('/'));
        let reader = Reader { store, shown, prefix, options: options.clone() };
        Ok(Self { reader, runtime: Some(runtime) })
    }

    /// One file, or a part of it.
    pub(super) fn read(&self, name: &str, range: Option<Range<u64>>) -> Answer {
        self.runtime()?.block_on(self.reader.read(name, range))
    }

    /// Whole files, in their order.
    pub(super) fn read_all(&self, names: &[String]) -> Result<Vec<Vec<u8>>, Lost> {
        let runtime = self.runtime()?;
        let mut answers = Vec::with_capacity(names.len());
        for names in names.chunks(TOGETHER) {
            let asked: Vec<_> = names
                .iter()
                .map(|name| {
                    let (reader, name) = (self.reader.clone(), name.clone());
                    runtime.spawn(async move { reader.read(&name, None).await })
                })
                .collect();
            for (name, handle) in names.iter().zip(asked) {
                answers.push(runtime.block_on(handle).map_err(|e| self.reader.lost(name, 1, e.to_string()))??);
            }
        }
        Ok(answers)
    }

    /// Asks for a part of a file without waiting; `then` gets the answer on the client's own thread.
    pub(super) fn begin(
        &self,
        name: &str,
        range: Range<u64>,
        then: impl FnOnce(Answer) + Send + 'static,
    ) -> Result<Request, Lost> {
        let (reader, name) = (self.reader.clone(), name.to_owned());
        let task = async move { then(reader.read(&name, Some(range)).await) };
        Ok(Request(self.runtime()?.spawn(task)))
    }

    fn runtime(&self) -> Result<&Runtime, Lost> {
        self.runtime.as_ref().ok_or_else(|| self.reader.lost("", 0, "the client is closed".into()))
    }
}

impl Reader {
    async fn read(&self, name: &str, range: Option<Range<u64>>) -> Answer {
        let begun = Instant::now();
        let mut pause = self.options.first_pause;
        let mut tries = 1;
        loop {
            let (detail, missing, again) = match self.once(name, range.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(told) => told,
            };
            if !again || tries >= self.options.tries || begun.elapsed() + pause > self.options.patience {
                return Err(Lost { missing, ..self.lost(name, tries, detail) });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tries += 1;
        }
    }

    /// One try; else its words, whether the file is not there, and whether another try may help.
    async fn once(&self, name: &str, range: Option<Range<u64>>) -> Result<Vec<u8>, (String, bool, bool)> {
        let told = |error: Error| {
            let missing = matches!(error, Error::NotFound { .. });
            let hopeless = missing
                || matches!(
                    error,
                    Error::PermissionDenied { .. }
                        | Error::Unauthenticated { .. }
                        | Error::NotSupported { .. }
                        | Error::NotImplemented
                        | Error::InvalidPath { .. }
                );
            (self.without_secrets(words(&error)), missing, !hopeless)
        };
        let length = range.as_ref().map(|r| r.end - r.start);
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let answer = self.store.get_opts(&self.prefix.child(name), options).await.map_err(told)?;
        let bytes = answer.bytes().await.map_err(told)?;
        match length {
            Some(length) if bytes.len() as u64 != length => {
                Err((format!("{} of {length} bytes came", bytes.len()), false, true))
            }
            _ => Ok(bytes.into()),
        }
    }

    fn lost(&self, name: &str, tries: u32, detail: String) -> Lost {
        Lost { url: format!("{}{name}", self.shown), tries, detail, missing: false }
    }

    /// Error texts repeat the address as it was asked for, user and password included.
    fn without_secrets(&self, text: String) -> String {
        let mut out = String::with_capacity(text.len());
        for (i, piece) in text.split("://").enumerate() {
            if i == 0 {
                out.push_str(piece);
                continue;
            }
            let host_end = piece.find(['/', ' ', ')', '"']).unwrap_or(piece.len());
            let from = piece[..host_end].rfind('@').map_or(0, |at| at + 1);
            out.push_str("://");
            out.push_str(&piece[from..]);
        }
        out
    }
}

/// An error's words with those of its causes that it does not repeat itself.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
