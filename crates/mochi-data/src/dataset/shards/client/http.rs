//! One attempt of a request. Responses are bounded in length, and requests are sent only to the given host.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Timeout};

use super::encode::{encoded, encoded_path};
use super::s3::Bucket;
use crate::cancel::Cancel;
use crate::dataset::shards::address::{Address, Scheme};
use crate::dataset::shards::lost::{Lost, RemoteOptions};
use crate::dataset::shards::part::Part;

/// Maximum number of redirects, all within one host.
const MOST_REDIRECTS: usize = 5;
/// Maximum number of bytes read from the body of an error.
const ERROR_BODY: u64 = 4 << 10;
/// Maximum number of its characters in a message.
const SHOWN: usize = 200;

/// Reads files of one remote folder.
pub(super) struct Fetcher {
    agent: Agent,
    folder: Address,
    bucket: Option<Bucket>,
}

/// Error of one attempt.
pub(super) struct Failure {
    pub(super) detail: String,
    /// Whether the server reports that the file does not exist.
    pub(super) missing: bool,
    /// Whether another attempt may help.
    pub(super) retry: bool,
    /// Whether the server responded, with any status.
    pub(super) answered: bool,
}

impl Failure {
    fn hopeless(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), missing: false, retry: false, answered: true }
    }
}

impl Fetcher {
    pub(super) fn new(folder: &Address, options: &RemoteOptions, connections: usize) -> Result<Self, Lost> {
        let unusable = |detail| Lost::Unusable { address: folder.to_string(), detail };
        let bucket = match folder.scheme {
            Scheme::S3 => Some(Bucket::new(folder, &|name| std::env::var(name).ok()).map_err(unusable)?),
            Scheme::Http | Scheme::Https => None,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("mochi/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Redirects are followed below, which checks the host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(options.timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_resolve(Some(options.connect_timeout))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .max_idle_age(Duration::from_secs(10))
            .build()
            .new_agent();
        Ok(Self { agent, folder: folder.clone(), bucket })
    }

    /// Address of the folder.
    pub(super) fn folder(&self) -> &Address {
        &self.folder
    }

    /// Makes one attempt to read `part` of the file `name`, until `abandoned`.
    pub(super) fn once(&self, name: &str, part: &Part, abandoned: &Cancel) -> Result<Vec<u8>, Failure> {
        self.try_once(name, part, abandoned).map_err(|failure| {
            // Servers repeat addresses with secrets, and messages are printed to terminals.
            let printable = |c: char| if c.is_control() { ' ' } else { c };
            let detail: String = self.folder.redact(&failure.detail).chars().map(printable).collect();
            Failure { detail: detail.split_whitespace().collect::<Vec<_>>().join(" "), ..failure }
        })
    }

    fn try_once(&self, name: &str, part: &Part, abandoned: &Cancel) -> Result<Vec<u8>, Failure> {
        let range = match part {
            Part::Range(range) if range.is_empty() => return Ok(Vec::new()),
            Part::Range(range) => Some(format!("bytes={}-{}", range.start, range.end - 1)),
            Part::Whole(_) => None,
        };
        let url = match &self.bucket {
            Some(bucket) => bucket.url(name),
            None => {
                let Address { host, scheme, .. } = &self.folder;
                let path = format!("{}/{}", encoded_path(self.folder.path()).trim_end_matches('/'), encoded(name));
                format!("{}://{host}{path}{}", scheme.as_str(), self.folder.secret_query())
            }
        };
        let mut url: Uri = url.parse().map_err(|e| Failure::hopeless(format!("invalid address: {e}")))?;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(range) = &range {
                request = request.header("range", range);
            }
            if let Some(bucket) = &self.bucket {
                for (header, value) in bucket.sign(name, range.as_deref(), std::time::SystemTime::now()) {
                    request = request.header(header, value);
                }
            }
            let answer = request.call().map_err(failed)?;
            if !answer.status().is_redirection() {
                return receive(answer, part, abandoned);
            }
            url = self.redirected(&url, &answer)?;
        }
        Err(Failure::hopeless(format!("the server redirects more than {MOST_REDIRECTS} times")))
    }

    /// Target of a redirect within the host.
    fn redirected(&self, from: &Uri, answer: &Response<Body>) -> Result<Uri, Failure> {
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        if self.bucket.is_some() {
            let region = header("x-amz-bucket-region").map(|region| format!(": set AWS_REGION={region}"));
            let detail =
                format!("the bucket is in another region or at another endpoint (status {})", answer.status().as_u16());
            return Err(Failure::hopeless(detail + &region.unwrap_or_default()));
        }
        let Some(location) = header("location") else {
            return Err(Failure::hopeless(format!(
                "the server redirects without a location (status {})",
                answer.status().as_u16()
            )));
        };
        let unreadable = |_| Failure::hopeless("the server redirects to an invalid address");
        let origin = |uri: &Uri| {
            let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
            let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
            (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
        };
        let (scheme, authority) = (from.scheme_str().unwrap_or_default(), from.authority().map_or("", |a| a.as_str()));
        let text = if location.contains("://") {
            location.to_owned()
        } else if let Some(rest) = location.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else {
            let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        };
        let to: Uri = text.parse().map_err(unreadable)?;
        if origin(&to) != origin(from) {
            let (scheme, host, port) = origin(&to);
            let standard = matches!((scheme.as_str(), port), ("http", 80) | ("https", 443));
            let port = if standard { String::new() } else { format!(":{port}") };
            let host: String = host.chars().take(SHOWN).collect();
            return Err(Failure::hopeless(format!(
                "the server redirects to {scheme}://{host}{port}; use that address"
            )));
        }
        Ok(to)
    }
}

/// Reads the body of a response, which must have the requested length.
fn receive(mut answer: Response<Body>, part: &Part, abandoned: &Cancel) -> Result<Vec<u8>, Failure> {
    let status = answer.status();
    let code = status.as_u16();
    if !status.is_success() {
        let mut body = Vec::new();
        let _ = answer.body_mut().as_reader().take(ERROR_BODY).read_to_end(&mut body);
        let said = said(&String::from_utf8_lossy(&body));
        let reason = status.canonical_reason().unwrap_or_default();
        let detail = if said.is_empty() { format!("status {code} {reason}") } else { format!("status {code}: {said}") };
        // Two client errors are temporary: request timeout and too many requests.
        let retry = status.is_server_error() || matches!(code, 408 | 429);
        return Err(Failure { detail, missing: matches!(code, 404 | 410), retry, answered: true });
    }
    let (exact, most) = match part {
        Part::Range(range) => (true, range.end - range.start),
        Part::Whole(most) => (false, *most),
    };
    if let Part::Range(range) = part {
        if code != 206 {
            return Err(Failure::hopeless(format!(
                "the server does not support byte ranges (status {code}), which shards require"
            )));
        }
        let received = answer.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wanted = format!("bytes {}-{}/", range.start, range.end - 1);
        if !received.starts_with(&wanted) {
            let received: String = received.chars().take(SHOWN).collect();
            let detail = format!(
                "requested range \"{wanted}...\", got \"{received}\"; the file is shorter than its index expects"
            );
            return Err(Failure::hopeless(detail));
        }
    }
    let too_long = || Failure::hopeless(format!("the response exceeds the limit of {most} bytes"));
    let length = answer.body().content_length();
    if length.is_some_and(|length| length > most) {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(length.unwrap_or(0) as usize);
    let mut reader = answer.body_mut().as_reader();
    let mut piece = vec![0u8; 64 << 10];
    loop {
        if abandoned.requested() {
            return Err(Failure { detail: "abandoned".into(), missing: false, retry: false, answered: true });
        }
        let broken = |e: std::io::Error| Failure { answered: true, ..failed(ureq::Error::from(e)) };
        let got = reader.read(&mut piece).map_err(broken)?;
        if got == 0 {
            break;
        }
        if (bytes.len() + got) as u64 > most {
            return Err(too_long());
        }
        bytes.extend_from_slice(piece.get(..got).unwrap_or_default());
    }
    if exact && bytes.len() as u64 != most {
        let detail = format!("{} of {most} bytes arrived", bytes.len());
        return Err(Failure { detail, missing: false, retry: true, answered: true });
    }
    Ok(bytes)
}

/// Message in the body of an error, as one line: that of S3's XML, or plain text, but not HTML.
fn said(body: &str) -> String {
    let between = |open: &str, close: &str| Some(body.split_once(open)?.1.split_once(close)?.0);
    let text = match between("<Message>", "</Message>") {
        Some(message) => message,
        None if body.contains('<') => "",
        None => body,
    };
    text.trim().chars().take(SHOWN).collect()
}

/// An error of the connection.
fn failed(error: ureq::Error) -> Failure {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let detail = |text: String| Failure { detail: text, missing: false, retry: true, answered: true };
    match error {
        ureq::Error::Timeout(which) => {
            let unreached = matches!(which, Timeout::Resolve | Timeout::Connect);
            Failure { answered: !unreached, ..detail(format!("timeout ({which})")) }
        }
        ureq::Error::HostNotFound => Failure { answered: false, ..detail("unknown host".into()) },
        ureq::Error::ConnectionFailed => Failure { answered: false, ..detail("the connection failed".into()) },
        ureq::Error::Rustls(error) => Failure { retry: false, ..detail(format!("TLS: {error}")) },
        ureq::Error::Tls(error) => Failure { retry: false, ..detail(format!("TLS: {error}")) },
        ureq::Error::Pem(error) => Failure { retry: false, ..detail(format!("TLS: {error}")) },
        ureq::Error::Io(error) => {
            if let Some(inner) = error.get_ref() {
                if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                    return Failure { retry: false, ..detail(format!("TLS: {tls}")) };
                }
                if let Some(ureq::Error::Timeout(which)) = inner.downcast_ref::<ureq::Error>() {
                    return detail(format!("timeout ({which})"));
                }
            }
            let unreached = matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
            Failure { answered: !unreached, ..detail(error.to_string()) }
        }
        ureq::Error::Protocol(error) => detail(format!("the response is not HTTP: {error}")),
        other => Failure { retry: false, ..detail(other.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security review S19: a certificate that is not trusted was tried eight times.
    #[test]
    fn s19_errors_of_tls_are_not_tried_again_and_lost_connections_are() {
        let untrusted = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let tls = [ureq::Error::Rustls(untrusted()), ureq::Error::Io(std::io::Error::other(untrusted()))];
        for error in tls {
            let failure = failed(error);
            assert!(!failure.retry && failure.detail.contains("TLS"), "{}", failure.detail);
        }
        let reset = ureq::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(failed(reset).retry);
    }
}
