//! Shards through the binary: packed, served by a local web server, trained from, killed and resumed; also as S3.

use std::path::Path;
use std::process::Stdio;

use crate::common::{assert_same_weights, images, json, mochi, newest, pretrain, run, said};
use crate::server::{Manner, Server};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_killed_run_from_a_web_server_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    images(&path("data"), 3, 20);
    std::fs::write(path("data").join("class-0/broken.jpg"), b"not an image").unwrap();
    let (data, out) = (path("data"), path("packed"));
    let words = ["pack", text(&data), text(&out), "--shard-images", "16", "--json"];
    let packed = json(&run(&words));
    assert_eq!((packed["images"].as_u64(), packed["shards"].as_u64()), (Some(60), Some(4)));
    assert_eq!(packed["bad"]["corrupt"], 1);
    let again = run(&words);
    assert!(!again.status.success(), "{}", said(&again));
    let told = said(&again);
    assert!(
        told.contains("holds a packed dataset already") && told.contains("hint: train on it with `mochi pretrain"),
        "{told}"
    );
    let inside = run(&["pack", text(&data), text(&data.join("class-0/new/packed"))]);
    assert!(said(&inside).contains("is inside the dataset folder"), "{}", said(&inside));
    assert!(!data.join("class-0/new").exists());
    let nothing = said(&run(&["pack", text(&data), text(&path("zero")), "--short-side", "0"]));
    assert!(
        nothing.contains("expected 8 to 16384 pixels, got 0") && nothing.contains("hint: leave it out"),
        "{nothing}"
    );

    let server = Server::start(&path("packed"));
    let url = server.url();
    let more = ["epochs=6", "checkpoint.every_steps=2", "checkpoint.keep_last=100"];
    let straight =
        json(&pretrain(Path::new(&url), &path("straight"), &[&more[..], &["--json"]].concat()).output().unwrap());
    assert_eq!((straight["finished"].as_bool(), straight["step"].as_u64()), (Some(true), Some(42)));

    let mut child =
        pretrain(Path::new(&url), &path("killed"), &more).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while !has_checkpoints(&path("killed"), 3) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = newest(&path("killed"));
    assert_ne!(before.file_name(), newest(&path("straight")).file_name(), "it was not killed in time");
    // The server has become unreliable meanwhile.
    server.behave(Manner::Busy);
    let resumed = json(&run(&["resume", text(&path("killed")), "--json"]));
    assert_eq!(resumed["finished"], true);
    assert_same_weights(&newest(&path("straight")), &newest(&path("killed")));

    // Gone for good: one error, in time.
    drop(server);
    let gone = mochi(&["pretrain", "http://127.0.0.1:1/set"]).output().unwrap();
    let said = said(&gone);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        said.contains("error: cannot read http://127.0.0.1:1/set/dataset.json") && said.contains("hint:"),
        "{said}"
    );
}

/// Whether a run has kept so many.
fn has_checkpoints(run: &Path, count: usize) -> bool {
    std::fs::read_dir(run.join("checkpoints")).is_ok_and(|entries| {
        entries.filter(|e| !e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')).count() >= count
    })
}

#[test]
fn a_bucket_is_read_with_and_without_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (data, packed) = (folder.path().join("data"), folder.path().join("root/bucket/sets/stripes"));
    images(&data, 2, 10);
    json(&run(&["pack", text(&data), text(&packed), "--shard-images", "8", "--json"]));
    let server = Server::start(&folder.path().join("root"));
    let bench = |keys: &[(&str, &str)], address: &str| {
        mochi(&["bench", "data", address, "--size", "24", "--json"])
            .env("AWS_ENDPOINT_URL", server.url())
            .envs(keys.iter().copied())
            .output()
            .unwrap()
    };
    let unsigned = [("AWS_SKIP_SIGNATURE", "true")];
    let signed = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_REGION", "eu-west-1")];
    assert_eq!(json(&bench(&unsigned, "s3://bucket/sets/stripes"))["images"], 20);
    assert_eq!(server.signed(), 0);
    assert_eq!(json(&bench(&signed, "s3://bucket/sets/stripes/{000000..000001}.tar"))["images"], 16);
    assert!(server.signed() > 0, "with keys every request is signed");
    let missing = bench(&unsigned, "s3://bucket/sets/nothing");
    let said = said(&missing);
    assert!(
        said.contains("error: cannot read s3://bucket/sets/nothing/dataset.json") && said.contains("hint:"),
        "{said}"
    );
}
