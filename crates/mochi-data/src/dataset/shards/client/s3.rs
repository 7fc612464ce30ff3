//! S3: address of a bucket, and signature of a request (AWS Signature Version 4).
//!
//! Source: "Authenticating Requests (AWS Signature Version 4)" in Amazon's S3 API reference; the test's request and signature are its example.

use std::time::SystemTime;

use ring::{digest, hmac};

use super::encode::object;
use crate::dataset::shards::address::Address;

/// SHA-256 of the empty body of a GET request.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A bucket and its credentials.
pub(super) struct Bucket {
    scheme: &'static str,
    host: String,
    /// Path of the folder, encoded, with the bucket if it is not part of the host; without a trailing slash.
    path: String,
    region: String,
    keys: Option<Keys>,
}

struct Keys {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Bucket {
    /// From an `s3://` address and the usual environment variables.
    pub(super) fn new(address: &Address, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).unwrap_or_else(|| "us-east-1".into());
        let keys = if set("AWS_SKIP_SIGNATURE").is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
        {
            None
        } else {
            let (Some(id), Some(secret)) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) else {
                return Err("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set".into());
            };
            Some(Keys { id, secret, token: set("AWS_SESSION_TOKEN") })
        };
        let (bucket, folder) = (&address.host, object(address.path().trim_matches('/')));
        let folder = if folder.is_empty() { String::new() } else { format!("/{folder}") };
        let Some(endpoint) = set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")) else {
            // A wildcard certificate covers only one level of names.
            let (host, path) = if bucket.contains('.') {
                (format!("s3.{region}.amazonaws.com"), format!("/{}{folder}", object(bucket)))
            } else {
                (format!("{bucket}.s3.{region}.amazonaws.com"), folder)
            };
            return Ok(Self { scheme: "https", host, path, region, keys });
        };
        let endpoint = Address::parse(&endpoint).map_err(|error| format!("AWS_ENDPOINT_URL: {error}"))?;
        let scheme = endpoint.scheme.as_str();
        let standard = if scheme == "https" { ":443" } else { ":80" };
        let host = endpoint.host.strip_suffix(standard).unwrap_or(&endpoint.host).to_owned();
        let path = format!("{}/{}{folder}", endpoint.path().trim_end_matches('/'), object(bucket));
        Ok(Self { scheme, host, path, region, keys })
    }

    /// The address of a file.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.path_of(name))
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}/{}", self.path, object(name))
    }

    /// The headers that authorize a GET of a file, or of a range of it.
    pub(super) fn sign(&self, name: &str, range: Option<&str>, now: SystemTime) -> Vec<(&'static str, String)> {
        let Some(keys) = &self.keys else { return Vec::new() };
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let time = timestamp(seconds);
        let day = time.get(..8).unwrap_or_default();
        let mut headers = vec![("host", self.host.clone())];
        headers.extend(range.map(|range| ("range", range.to_owned())));
        headers.push(("x-amz-content-sha256", EMPTY.into()));
        headers.push(("x-amz-date", time.clone()));
        headers.extend(keys.token.clone().map(|token| ("x-amz-security-token", token)));
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = format!("GET\n{}\n\n{lines}\n{names}\n{EMPTY}", self.path_of(name));
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let mut key = format!("AWS4{}", keys.secret).into_bytes();
        for part in [day, &self.region, "s3", "aws4_request"] {
            key = hmac_sha256(&key, part);
        }
        let signature = hex(&hmac_sha256(&key, &text));
        headers.retain(|(name, _)| name.starts_with("x-amz-"));
        let credential = format!("{}/{scope}", keys.id);
        headers.push((
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"),
        ));
        headers
    }
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970 as `20130524T000000Z`.
fn timestamp(seconds: u64) -> String {
    // Calendar date from a number of days: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = year + era * 400;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(address: &str, set: &[(&str, &str)]) -> Result<Bucket, String> {
        let env = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Bucket::new(&Address::parse(address).unwrap(), &env)
    }

    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ];

    /// "Example: GET Object" of Amazon's documentation.
    #[test]
    fn the_signature_is_amazons_example() {
        let mut bucket = bucket("s3://examplebucket", &KEYS).unwrap();
        bucket.host = "examplebucket.s3.amazonaws.com".into();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        let headers = bucket.sign("test.txt", Some("bytes=0-9"), at);
        let authorization = &headers.iter().find(|(name, _)| *name == "authorization").unwrap().1;
        assert_eq!(
            authorization,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn a_bucket_is_found_by_region_endpoint_and_name() {
        let url = |address: &str, set: &[(&str, &str)]| bucket(address, set).unwrap().url("a b.tar");
        let eu = [KEYS[0], KEYS[1], ("AWS_REGION", "eu-west-1")];
        assert_eq!(url("s3://photos/x y/", &eu), "https://photos.s3.eu-west-1.amazonaws.com/x%20y/a%20b.tar");
        assert_eq!(url("s3://my.photos", &eu), "https://s3.eu-west-1.amazonaws.com/my.photos/a%20b.tar");
        let other = [("AWS_SKIP_SIGNATURE", "true"), ("AWS_ENDPOINT_URL", "http://host:80/base/")];
        assert_eq!(url("s3://photos/x", &other), "http://host/base/photos/x/a%20b.tar");
        assert!(bucket("s3://photos", &other).unwrap().sign("x", None, SystemTime::now()).is_empty());
        assert!(bucket("s3://photos", &[]).is_err_and(|e| e.contains("AWS_ACCESS_KEY_ID")));
        let secret = [("AWS_SKIP_SIGNATURE", "true"), ("AWS_ENDPOINT_URL", "http://me:hidden@host/")];
        assert!(bucket("s3://photos", &secret).is_err_and(|e| !e.contains("hidden")));
    }

    #[test]
    fn a_session_token_is_signed() {
        let keys = [KEYS[0], KEYS[1], ("AWS_SESSION_TOKEN", "token")];
        let headers = bucket("s3://photos", &keys).unwrap().sign("x", None, SystemTime::now());
        assert!(headers.contains(&("x-amz-security-token", "token".into())));
        assert!(headers.iter().any(|(n, v)| *n == "authorization" && v.contains("x-amz-date;x-amz-security-token,")));
    }
}
