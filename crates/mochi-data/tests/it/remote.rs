//! Shards behind HTTP, served by a real server on this machine that fails, breaks off, drips and falls silent on command.
#![cfg(feature = "remote")]

use std::time::{Duration, Instant};

use crate::common::server::{Manner, Server};
use crate::common::{all, content, folder, open, options};
use mochi_data::pack::{PackOptions, ShardSize, pack};
use mochi_data::{
    Batch, Cancel, DataError, Dataset, Loader, LoaderOptions, OpenOptions, Order, Position, RemoteOptions,
};
use mochi_views::{Augmentation, BadReason};

/// Impatient, and with blocks so small that this little data has many.
fn quick() -> RemoteOptions {
    RemoteOptions {
        tries: 4,
        first_pause: Duration::from_millis(5),
        connect_timeout: Duration::from_millis(500),
        timeout: Duration::from_millis(500),
        time_limit: Duration::from_secs(5),
        block_bytes: 6_000,
    }
}

struct Setting {
    _source: tempfile::TempDir,
    packed: tempfile::TempDir,
    server: Server,
}

impl Setting {
    fn new(images: usize) -> Self {
        let source = folder(images);
        let packed = tempfile::tempdir().unwrap();
        let options = PackOptions { shard_size: ShardSize::Images(60), ..PackOptions::default() };
        pack(&open(source.path()), packed.path(), &options, &mut |_| ()).unwrap();
        let server = Server::start(packed.path());
        Self { _source: source, packed, server }
    }

    fn remote(&self) -> Dataset {
        Dataset::open_remote(&self.server.url(), &quick()).unwrap()
    }

    fn local(&self) -> Dataset {
        open(self.packed.path())
    }
}

fn ends_with(dataset: &Dataset, options: LoaderOptions) -> (Vec<Batch>, DataError) {
    let mut batches = Vec::new();
    for batch in Loader::new(dataset, options).unwrap() {
        match batch {
            Ok(batch) => batches.push(batch),
            Err(error) => return (batches, error),
        }
    }
    panic!("the epoch came to its end");
}

#[test]
fn remote_shards_hold_what_the_local_ones_hold() {
    let setting = Setting::new(200);
    let (local, remote) = (setting.local(), setting.remote());
    assert_eq!((remote.len(), remote.kind()), (200, "remote tar shards"));
    assert_eq!((remote.labels(), remote.class_names()), (local.labels(), local.class_names()));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for i in [0, 7, 61, 199] {
        local.read(i, &mut a).unwrap();
        remote.read(i, &mut b).unwrap();
        assert!(a == b && remote.name_of(i) == local.name_of(i));
    }
    // In sequence both give the same batches; shuffled, the same views of the same images in another order.
    let sequential = LoaderOptions {
        order: Order::Sequential,
        views: 1,
        drop_last: false,
        augmentation: Augmentation::preset("eval").unwrap(),
        ..options(32)
    };
    assert!(content(&all(&local, sequential.clone())) == content(&all(&remote, sequential)));
    // The address may be that of dataset.json, of a shard, or of several.
    let at = |path: &str| Dataset::open_remote(&format!("{}{path}", setting.server.url()), &quick()).unwrap().len();
    assert_eq!((at("/"), at("/dataset.json"), at("/000001.tar"), at("/{000001..000003}.tar")), (200, 200, 60, 140));
}

#[test]
fn an_epoch_is_whole_and_the_same_for_any_threads_and_resumes_anywhere() {
    let setting = Setting::new(400);
    let remote = setting.remote();
    let one = all(&remote, LoaderOptions { threads: 1, prefetch: 1, ..options(16) });
    assert_eq!(one.len(), 25);
    for (threads, prefetch) in [(2, 2), (4, 5)] {
        assert!(content(&one) == content(&all(&remote, LoaderOptions { threads, prefetch, ..options(16) })));
    }
    let mut seen: Vec<u32> = one.iter().flat_map(|b| b.images.clone()).collect();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..400));
    for first_batch in [1, 7, 24, 25] {
        let rest = all(&remote, LoaderOptions { start: Position { epoch: 2, batch: first_batch }, ..options(16) });
        assert!(content(&one[first_batch..]) == content(&rest), "from batch {first_batch}");
    }
    // A view is a function of image, seed and epoch, wherever the bytes came from.
    let local = all(&setting.local(), options(16));
    let floats = 3 * 20 * 20;
    let view = |batches: &[Batch], image: u32| {
        let (batch, at) = batches.iter().find_map(|b| Some((b, b.images.iter().position(|&i| i == image)?))).unwrap();
        batch.views[0][at * floats..][..floats].to_vec()
    };
    assert!([3, 77, 250].into_iter().all(|image| view(&one, image) == view(&local, image)));
    assert_ne!(one[0].images, local[0].images);
}

#[test]
fn images_come_in_blocks_and_only_so_far_ahead() {
    let setting = Setting::new(1000);
    let remote = setting.remote();
    let bytes: u64 =
        std::fs::read_dir(setting.packed.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    let most = usize::try_from(bytes / 6_000).unwrap() * 2;
    let small = || LoaderOptions { threads: 1, prefetch: 1, ..options(4) };
    let mut loader = Loader::new(&remote, small()).unwrap();
    loader.next().unwrap().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // Two batches of four have been looked at: at most as many blocks, and 16 ahead.
    let early = setting.server.parts_asked();
    assert!((17..=8 + 17).contains(&early), "{early} requests before the second batch was taken");
    assert_eq!(loader.by_ref().map(|b| b.unwrap().images.len()).sum::<usize>(), 996);
    let requests = setting.server.parts_asked();
    assert!(requests <= most && requests < 500, "{requests} requests for 1000 images");
    // Every block once.
    drop(loader);
    all(&remote, small());
    assert_eq!(setting.server.parts_asked(), requests * 2);
}

#[test]
fn failures_that_pass_change_no_bit() {
    let setting = Setting::new(150);
    let remote = setting.remote();
    let good = all(&remote, options(10));
    for manner in [Manner::Busy, Manner::Breaking, Manner::Late(30)] {
        setting.server.behave(manner);
        let before = setting.server.parts_asked();
        assert!(content(&good) == content(&all(&remote, options(10))), "{manner:?}");
        assert!(setting.server.parts_asked() > before);
        // The same parts are asked for again; each manner needs its own count.
        setting.server.behave(Manner::Good);
    }
}

#[test]
fn what_does_not_come_ends_the_epoch_with_one_error_and_counts_no_image_as_bad() {
    for (manner, words) in
        [(Manner::Down, "503"), (Manner::Silent, "time"), (Manner::Dripping, "time"), (Manner::Whole, "range")]
    {
        let setting = Setting::new(150);
        let remote = setting.remote();
        setting.server.behave(manner);
        let begun = Instant::now();
        let mut loader = Loader::new(&remote, LoaderOptions { max_bad_fraction: 1.0, ..options(10) }).unwrap();
        let error = loader.next().unwrap().unwrap_err();
        let DataError::Remote { url, tries, detail, missing } = &error else { panic!("{manner:?}: {error}") };
        assert!(url.starts_with(&setting.server.url()) && url.ends_with(".tar") && !missing, "{error}");
        assert!(detail.to_lowercase().contains(words), "{manner:?}: {error}");
        assert_eq!(*tries, if manner == Manner::Whole { 1 } else { 4 }, "{error}");
        assert!(error.hint().is_some() && loader.next().is_none() && loader.bad_images().is_empty());
        drop(loader);
        assert!(begun.elapsed() < Duration::from_secs(8), "{manner:?} took {:?}", begun.elapsed());
    }
}

#[test]
fn a_loss_in_the_middle_leaves_the_batches_before_it_whole() {
    let setting = Setting::new(400);
    let remote = setting.remote();
    let good = all(&remote, options(8));
    let mut loader = Loader::new(&remote, LoaderOptions { prefetch: 1, threads: 1, ..options(8) }).unwrap();
    let first = loader.next().unwrap().unwrap();
    for shard in 0..7 {
        std::fs::remove_file(setting.packed.path().join(format!("{shard:06}.tar"))).unwrap();
    }
    let mut taken = vec![first];
    let error = loader.find_map(|batch| batch.map(|b| taken.push(b)).err()).unwrap();
    assert!(matches!(error, DataError::Remote { missing: true, tries: 1, .. }), "{error}");
    assert!(taken.len() < 50 && content(&taken) == content(&good[..taken.len()]));
    // Going on later gives the rest.
    assert!(ends_with(&remote, options(8)).0.is_empty());
}

#[test]
fn a_loader_that_waits_for_a_silent_server_is_let_go_at_once() {
    let setting = Setting::new(150);
    let patient = RemoteOptions { timeout: Duration::from_secs(60), tries: 9, ..quick() };
    let remote = Dataset::open_remote(&setting.server.url(), &patient).unwrap();
    setting.server.behave(Manner::Silent);
    let loader = Loader::new(&remote, options(10)).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    drop((loader, remote));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn bad_images_are_replaced_as_they_are_elsewhere() {
    let setting = Setting::new(150);
    let good = setting.local();
    // Damage one image inside its shard: its checksum differs.
    let mut victim = Vec::new();
    good.read(70, &mut victim).unwrap();
    let path = setting.packed.path().join("000001.tar");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(victim.len()).position(|w| w == victim).unwrap();
    bytes[at + victim.len() / 2] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let remote = setting.remote();
    let lenient = |threads| LoaderOptions { threads, max_bad_fraction: 0.5, ..options(10) };
    let mut loader = Loader::new(&remote, lenient(1)).unwrap();
    let batches: Vec<_> = loader.by_ref().map(Result::unwrap).collect();
    let bad = loader.bad_images();
    // The shard may contain the same bytes several times; at least the first of them is meant.
    assert!(bad.len() == 1 && bad[0].reason == BadReason::Corrupt && bad[0].detail.contains("CRC"), "{bad:?}");
    let (index, next) = (bad[0].index as u32, (bad[0].index as u32 + 1) % 150);
    let used: Vec<u32> = batches.iter().flat_map(|b| b.images.clone()).collect();
    assert!(!used.contains(&index) && used.iter().filter(|&&i| i == next).count() == 2);
    assert!(content(&batches) == content(&all(&remote, lenient(4))));
}

#[test]
fn errors_of_opening_say_what_to_do_and_show_no_secrets() {
    let setting = Setting::new(70);
    let open_at = |url: &str| Dataset::open_remote(url, &quick()).unwrap_err();
    let missing = open_at(&format!("{}/nowhere/", setting.server.url()));
    assert!(matches!(missing, DataError::Remote { missing: true, tries: 1, .. }), "{missing}");
    assert!(missing.to_string().contains("/nowhere/dataset.json") && missing.hint().unwrap().contains("dataset.json"));
    std::fs::remove_file(setting.packed.path().join("000001.idx")).unwrap();
    let no_index = open_at(&setting.server.url());
    assert!(no_index.hint().unwrap().contains("mochi pack"), "{no_index}");
    // No server listens there.
    let begun = Instant::now();
    let refused = open_at("http://127.0.0.1:1/x");
    assert!(
        matches!(refused, DataError::Remote { tries: 3, .. }) && begun.elapsed() < Duration::from_secs(5),
        "{refused}"
    );
    std::fs::write(setting.packed.path().join("dataset.json"), "{\"something\": \"else\"}").unwrap();
    assert!(matches!(open_at(&setting.server.url()), DataError::Format { .. }));
}

// Security case S2.
#[test]
fn s2_answers_without_end_are_refused_at_once() {
    for (manner, words) in
        [(Manner::Huge, "exceeds the limit"), (Manner::Endless, "exceeds the limit"), (Manner::LongError, "404")]
    {
        let setting = Setting::new(70);
        let remote = setting.remote();
        setting.server.behave(manner);
        let mut loader = Loader::new(&remote, options(10)).unwrap();
        let error = loader.next().unwrap().unwrap_err();
        assert!(matches!(error, DataError::Remote { tries: 1, .. }), "{manner:?}: {error}");
        assert!(error.to_string().contains(words), "{manner:?}: {error}");
        drop(loader);
        // Of dataset.json at most 64 MiB are taken, for which a busy machine needs more than the half second of `quick`.
        let patient = RemoteOptions { timeout: Duration::from_secs(60), ..quick() };
        let error = Dataset::open_remote(&setting.server.url(), &patient).unwrap_err();
        assert!(matches!(error, DataError::Remote { tries: 1, .. }), "{manner:?}: {error}");
        let taken = setting.server.taken();
        assert!(taken < 200 << 20, "{manner:?}: {taken} bytes");
    }
}

// Security cases S3 and S19.
#[test]
fn s3_redirects_to_another_host_are_not_followed() {
    let (setting, other) = (Setting::new(70), Server::start(std::path::Path::new("/nowhere")));
    let address = format!("{}/?token=TOPSECRET", setting.server.url());
    for manner in [Manner::Elsewhere(other.port()), Manner::ToFile] {
        setting.server.behave(manner);
        let begun = Instant::now();
        let error = Dataset::open_remote(&address, &quick()).unwrap_err();
        assert!(matches!(error, DataError::Remote { tries: 1, .. }) && begun.elapsed() < Duration::from_secs(1));
        assert!(error.to_string().contains("redirects to") && !error.to_string().contains("TOPSECRET"), "{error}");
    }
    assert!(other.requests().is_empty(), "nothing may reach another host");
    setting.server.behave(Manner::Moved);
    let moved = Dataset::open_remote(&address, &quick()).unwrap();
    assert_eq!((moved.len(), moved.fingerprint()), (70, setting.remote().fingerprint()));
    assert!(setting.server.requests().iter().all(|request| !request.to_lowercase().contains("referer")));
}

// Security cases S4 and S8.
#[test]
fn s4_query_values_are_sent_and_never_shown() {
    let setting = Setting::new(70);
    let address = format!("{}/?sig=TOPSECRET&v=2", setting.server.url());
    let dataset = Dataset::open_remote(&address, &quick()).unwrap();
    assert_eq!(dataset.fingerprint(), setting.remote().fingerprint());
    assert!(setting.server.requests()[0].starts_with("GET /dataset.json?sig=TOPSECRET&v=2 "));
    assert!(!format!("{dataset:?}").contains("TOPSECRET"));
    setting.server.behave(Manner::Echo);
    let error = Dataset::open_remote(&address, &quick()).unwrap_err();
    let told = format!("{error} {error:?} {:?}", error.hint());
    assert!(told.contains("403") && told.contains("sig=***") && !told.contains("TOPSECRET"), "{told}");
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
}

// Field case F6.
#[test]
fn f6_waiting_for_a_silent_server_ends_when_asked() {
    let setting = Setting::new(150);
    let patient = RemoteOptions { timeout: Duration::from_secs(60), tries: 9, ..quick() };
    let remote = Dataset::open_remote(&setting.server.url(), &patient).unwrap();
    setting.server.behave(Manner::Silent);
    let cancel = Cancel::default();
    let mut loader = Loader::new(&remote, LoaderOptions { cancel: cancel.clone(), ..options(10) }).unwrap();
    let later = |cancel: Cancel| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            cancel.request();
        })
    };
    let begun = Instant::now();
    later(cancel);
    assert!(matches!(loader.next(), Some(Err(DataError::Canceled))));
    drop(loader);
    // Opening likewise.
    let cancel = Cancel::default();
    later(cancel.clone());
    let options = OpenOptions { cancel, ..OpenOptions::default() };
    let opened = Dataset::open(std::path::Path::new(&setting.server.url()), &options);
    assert!(matches!(opened, Err(DataError::Canceled)));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

// House review H6.4.
#[test]
fn h6_4_a_server_that_stops_does_not_make_a_small_pack() {
    // More than what is prepared ahead of the writer.
    let setting = Setting::new(600);
    let remote = setting.remote();
    let out = tempfile::tempdir().unwrap();
    let small = PackOptions { shard_size: ShardSize::Images(50), threads: 1, ..PackOptions::default() };
    let mut stop = Some(&setting.server);
    let error = pack(&remote, out.path(), &small, &mut |done| {
        if done >= 64 {
            stop.take().into_iter().for_each(|server| server.behave(Manner::Down));
        }
    })
    .unwrap_err();
    assert!(matches!(error, DataError::Remote { .. }), "{error}");
    assert!(!out.path().join("dataset.json").exists() && !out.path().join("bad-images.jsonl").exists());
    setting.server.behave(Manner::Good);
    let done = pack(&remote, out.path(), &small, &mut |_| ()).unwrap();
    assert!(done.images == 600 && done.bad.is_empty() && done.continued_from >= 50, "{done:?}");
    let whole = tempfile::tempdir().unwrap();
    pack(&setting.local(), whole.path(), &small, &mut |_| ()).unwrap();
    let shard = |folder: &tempfile::TempDir| std::fs::read(folder.path().join("000004.tar")).unwrap();
    assert!(shard(&out) == shard(&whole));
}
