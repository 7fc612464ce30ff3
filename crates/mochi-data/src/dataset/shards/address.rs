//! Addresses of remote datasets. Secrets in them are neither printed nor stored.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::error::DataError;

/// Environment variable with the query values that are missing in a stored address, e.g. `sig=VALUE&se=VALUE`.
pub const MOCHI_URL_QUERY: &str = "MOCHI_URL_QUERY";
/// Replacement of a secret.
const HIDDEN: &str = "***";

/// Protocol of a remote dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    S3,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::S3 => "s3",
        }
    }
}

/// The address of a remote dataset: `http://`, `https://` or `s3://`.
///
/// The values of a query (`?sig=VALUE`) are secrets: `Display`, `Debug` and `Serialize` write `***` instead. When a stored address is
/// opened, the values are read from the environment variable `MOCHI_URL_QUERY`.
///
/// ```
/// let address = mochi_data::Address::parse("https://host/set?sig=secret").unwrap();
/// assert_eq!(address.to_string(), "https://host/set?sig=***");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) scheme: Scheme,
    /// Host and port, or the bucket.
    pub(crate) host: String,
    /// Starts with a slash, or is empty.
    path: String,
    query: Vec<Parameter>,
}

#[derive(Clone, PartialEq, Eq)]
struct Parameter {
    /// Empty for a part without `=`, which is secret as a whole.
    name: String,
    value: String,
}

impl Address {
    /// Reads an address; `None` for anything else, such as a path.
    ///
    /// # Errors
    /// [`DataError::Address`]: user and password, a fragment, no host, a query in an S3 address.
    pub fn read(text: &str) -> Result<Option<Self>, DataError> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("s3", rest)) => (Scheme::S3, rest),
            _ => return Ok(None),
        };
        // Errors do not quote the text before its secrets are known.
        let wrong = |detail: &str| DataError::Address {
            address: format!("{}://{HIDDEN}", scheme.as_str()),
            detail: detail.to_owned(),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        if host.contains('@') {
            return Err(wrong("user and password in an address are not supported"));
        }
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("the host is missing"));
        }
        if path.contains('#') || query.is_some_and(|query| query.contains('#')) {
            return Err(wrong("a fragment (#) is not supported"));
        }
        if scheme == Scheme::S3 && query.is_some() {
            return Err(wrong("an S3 address cannot have a query"));
        }
        let parameter = |piece: &str| {
            let (name, value) = piece.split_once('=').unwrap_or(("", piece));
            Parameter { name: name.into(), value: value.into() }
        };
        let query = query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()).map(parameter).collect();
        Ok(Some(Self { scheme, host: host.into(), path: path.into(), query }))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// As [`Address::read`], and a text that is not an address.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        Self::read(text)?.ok_or_else(|| DataError::Address {
            address: text.chars().take(200).collect(),
            detail: "an address starts with http://, https:// or s3://".into(),
        })
    }

    /// Sets the missing secrets from `query`, the value of [`MOCHI_URL_QUERY`].
    pub(crate) fn with_secrets(mut self, query: &str) -> Result<Self, DataError> {
        let given: Vec<(&str, &str)> =
            query.trim_start_matches('?').split('&').map(|p| p.split_once('=').unwrap_or(("", p))).collect();
        let shown = self.to_string();
        for parameter in self.query.iter_mut().filter(|p| p.value == HIDDEN) {
            match given.iter().find(|(name, value)| *name == parameter.name && !value.is_empty()) {
                Some((_, value)) => parameter.value = (*value).to_owned(),
                None => {
                    let detail = format!("the value of \"{}\" is not stored with a run", parameter.name);
                    return Err(DataError::Address { address: shown, detail });
                }
            }
        }
        Ok(self)
    }

    /// The path as given.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The folder and the last part of the path, which is empty if the path ends with a slash.
    pub(crate) fn split_last(&self) -> (Self, &str) {
        let (folder, last) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        (Self { path: folder.into(), ..self.clone() }, last)
    }

    /// A file of this folder.
    pub(crate) fn file(&self, name: &str) -> Self {
        Self { path: format!("{}/{name}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// The query with its secrets, empty or starting with `?`. Only for requests.
    pub(crate) fn secret_query(&self) -> String {
        self.write_query(|parameter| &parameter.value)
    }

    /// `text` with every secret of this address replaced, because servers repeat the address in their messages.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for Parameter { name, value } in self.query.iter().filter(|p| !p.value.is_empty() && p.value != HIDDEN) {
            if !name.is_empty() {
                text = text.replace(&format!("{name}={value}"), &format!("{name}={HIDDEN}"));
            }
            // A short value would match by chance.
            if value.len() >= 4 || name.is_empty() {
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        text
    }

    fn write_query<'a>(&'a self, value: impl Fn(&'a Parameter) -> &'a str) -> String {
        let mut out = String::new();
        for parameter in &self.query {
            out.push(if out.is_empty() { '?' } else { '&' });
            if !parameter.name.is_empty() {
                out.push_str(&parameter.name);
                out.push('=');
            }
            out.push_str(value(parameter));
        }
        out
    }
}

/// A source for printing and storing: a path unchanged, an address without its secrets.
pub fn display_source(source: &Path) -> String {
    let text = source.to_string_lossy();
    match Address::read(&text) {
        Ok(None) => text.into_owned(),
        Ok(Some(address)) => address.to_string(),
        // An invalid address; which parts are secret is unknown.
        Err(_) => format!("{}://{HIDDEN}", text.split("://").next().unwrap_or_default()),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.write_query(|_| HIDDEN);
        write!(f, "{}://{}{}{query}", self.scheme.as_str(), self.host, self.path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Security case S4.
    #[test]
    fn s4_secrets_of_an_address_are_not_written() {
        let address = Address::parse("https://host:81/a/b.tar?sig=TOP&x=&SECRET").unwrap();
        assert_eq!(address.to_string(), "https://host:81/a/b.tar?sig=***&x=***&***");
        assert_eq!(serde_json::to_string(&address).unwrap(), "\"https://host:81/a/b.tar?sig=***&x=***&***\"");
        assert!(!format!("{address:?}").contains("TOP"));
        assert_eq!(address.secret_query(), "?sig=TOP&x=&SECRET");
        assert_eq!(address.redact("STOP: GET /b.tar?sig=TOP SECRET"), "STOP: GET /b.tar?sig=*** ***");
        let (folder, last) = address.split_last();
        assert_eq!((folder.to_string().as_str(), last), ("https://host:81/a?sig=***&x=***&***", "b.tar"));
        assert_eq!(folder.file("c.idx").to_string(), "https://host:81/a/c.idx?sig=***&x=***&***");
    }

    // Security case S4.
    #[test]
    fn s4_user_and_password_are_refused_and_not_repeated() {
        for text in ["http://me:hidden@host/x", "s3://key:hidden@bucket/x", "https://hidden@host"] {
            let error = Address::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
            assert!(error.hint().is_some());
        }
        for text in ["http:///x", "http://", "http://h/x#y", "s3://b/x?sig=1", "http://a b/x"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse("photos/x").is_err());
        assert_eq!(Address::read("photos?/[a]").unwrap(), None);
    }

    // Security case S4.
    #[test]
    fn s4_a_stored_address_takes_its_secrets_from_the_environment() {
        let address = Address::parse("http://h/x?sig=TOP&se=9").unwrap();
        let stored = Address::parse(&address.to_string()).unwrap();
        assert_eq!(stored.clone().with_secrets("?se=9&sig=TOP").unwrap(), address);
        let error = stored.with_secrets("se=9").unwrap_err();
        assert!(error.to_string().contains("\"sig\"") && error.hint().unwrap().contains(MOCHI_URL_QUERY), "{error}");
    }
}
