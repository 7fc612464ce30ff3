//! Batches: the same for any number of threads, resumable, whole in spite of bad images, and quick to let go.

use std::time::{Duration, Instant};

use crate::common::{all, content, folder, image_path, open, options};
use mochi_data::{Batch, CacheOptions, DataError, Dataset, Loader, LoaderOptions, Order, Position, Shard};
use mochi_views::{Augmentation, BadReason};

fn index_of(dataset: &Dataset, i: usize) -> u32 {
    let end = format!("{i:04}.img.jpg");
    (0..dataset.len()).find(|&k| dataset.name_of(k).ends_with(&end)).unwrap() as u32
}

#[test]
fn views_do_not_depend_on_threads_or_prefetch() {
    let dir = folder(50);
    let dataset = open(dir.path());
    let one = all(&dataset, LoaderOptions { threads: 1, prefetch: 1, ..options(8) });
    assert_eq!(one.len(), 6);
    for (threads, prefetch) in [(2, 2), (5, 3), (3, 50)] {
        let other = all(&dataset, LoaderOptions { threads, prefetch, ..options(8) });
        assert!(content(&one) == content(&other), "{threads} threads, {prefetch} batches ahead");
    }
    // The two views differ, and so do seeds and epochs.
    assert_ne!(one[0].views[0], one[0].views[1]);
    let other = all(&dataset, LoaderOptions { seed: 12, ..options(8) });
    assert_eq!(one[0].images, other[0].images);
    assert_ne!(one[0].views, other[0].views);
    let next = Position { epoch: 3, batch: 0 };
    let other = all(&dataset, LoaderOptions { start: next, end_epoch: 4, ..options(8) });
    assert_ne!(one[0].images, other[0].images);
}

#[test]
fn kept_images_give_the_same_views_and_are_not_read_again() {
    let dir = folder(30);
    let dataset = open(dir.path());
    let epochs = |cache: Option<CacheOptions>| LoaderOptions { end_epoch: 4, cache, ..options(6) };
    let cached = |bytes, short_side| epochs(Some(CacheOptions { bytes, short_side }));
    // No image is larger: the pixels are those of the files.
    assert!(content(&all(&dataset, epochs(None))) == content(&all(&dataset, cached(1 << 30, 1000))));
    // Larger images are reduced, whether they are kept or not.
    let reduced = all(&dataset, cached(1 << 30, 12));
    assert!(content(&all(&dataset, epochs(None))) != content(&reduced));
    for bytes in [0, 3000] {
        assert!(content(&all(&dataset, cached(bytes, 12))) == content(&reduced), "{bytes} bytes");
    }

    // The files can go after the first epoch.
    let mut loader = Loader::new(&dataset, LoaderOptions { prefetch: 1, ..cached(1 << 30, 12) }).unwrap();
    let mut batches = Vec::new();
    for _ in 0..5 {
        batches.push(loader.next().unwrap().unwrap());
    }
    for i in 0..30 {
        std::fs::remove_file(image_path(dir.path(), i)).unwrap();
    }
    batches.extend(loader.map(Result::unwrap));
    assert!(content(&batches) == content(&reduced));
}

#[test]
fn resuming_equals_skipping() {
    let dir = folder(40);
    let dataset = open(dir.path());
    let whole = all(&dataset, options(6));
    for first_batch in [1, 4, 6, 7] {
        let rest = all(&dataset, LoaderOptions { start: Position { epoch: 2, batch: first_batch }, ..options(6) });
        assert!(content(&whole[first_batch.min(6)..]) == content(&rest), "from batch {first_batch}");
    }
}

#[test]
fn one_loader_goes_through_all_epochs_and_starts_anywhere() {
    let dir = folder(40);
    let dataset = open(dir.path());
    let first = Position::default();
    // Two bad images: each epoch counts them anew.
    std::fs::write(image_path(dir.path(), 5), b"no picture").unwrap();
    std::fs::write(image_path(dir.path(), 6), b"no picture").unwrap();
    let over = |start, end_epoch| LoaderOptions { start, end_epoch, max_bad_fraction: 0.5, ..options(6) };
    let mut loader = Loader::new(&dataset, over(first, 4)).unwrap();
    let mut whole = Vec::new();
    let mut new = 0;
    while let Some(batch) = loader.next() {
        whole.push(batch.unwrap());
        new += loader.new_bad_images().len();
    }
    assert_eq!((loader.batches(), whole.len(), new), (6, 24, 2));
    let places: Vec<_> = whole.iter().map(|batch| (batch.epoch, batch.number)).collect();
    assert!(places.iter().copied().eq((0..4).flat_map(|epoch| (0..6).map(move |number| (epoch, number)))));
    assert!(whole.iter().all(|batch| batch.targets.len() == 6 && batch.targets[0].class().is_some()));
    for epoch in 0..4 {
        let one = all(&dataset, over(Position { epoch, batch: 0 }, epoch + 1));
        assert!(content(&whole[epoch as usize * 6..][..6]) == content(&one), "epoch {epoch}");
    }
    // A position behind its epoch is one of the next.
    for (start, skipped) in [((0, 4), 4), ((1, 0), 6), ((1, 5), 11), ((0, 23), 23), ((2, 7), 19)] {
        let start = Position { epoch: start.0, batch: start.1 };
        assert!(content(&all(&dataset, over(start, 4))) == content(&whole[skipped..]), "{start:?}");
    }
}

/// For any number of processes, a step has the same images and views, bad ones and short batches included.
#[test]
fn a_batch_is_divided_among_processes() {
    let dir = folder(41);
    let dataset = open(dir.path());
    for bad in [3, 4, 5, 17] {
        std::fs::write(image_path(dir.path(), bad), b"no picture").unwrap();
    }
    for drop_last in [true, false] {
        let lenient = LoaderOptions { end_epoch: 4, max_bad_fraction: 0.5, drop_last, ..options(12) };
        let whole = all(&dataset, lenient.clone());
        for world_size in [2, 3, 4, 6, 12] {
            let ranks: Vec<Vec<Batch>> = (0..world_size)
                .map(|rank| all(&dataset, LoaderOptions { shard: Shard { rank, world_size }, ..lenient.clone() }))
                .collect();
            for batch in &whole {
                let of = |rank: &Vec<Batch>| {
                    rank.iter().find(|b| (b.epoch, b.number) == (batch.epoch, batch.number)).cloned()
                };
                let parts: Vec<Batch> = ranks.iter().filter_map(of).collect();
                let images: Vec<u32> = parts.iter().flat_map(|part| part.images.clone()).collect();
                assert_eq!(images, batch.images, "{world_size} processes");
                for view in 0..2 {
                    let floats: Vec<f32> = parts.iter().flat_map(|part| part.view(view).to_vec()).collect();
                    assert!(floats == batch.view(view));
                }
            }
        }
    }
    for shard in [Shard { rank: 2, world_size: 2 }, Shard { rank: 0, world_size: 5 }, Shard { rank: 0, world_size: 0 }]
    {
        assert!(matches!(
            Loader::new(&dataset, LoaderOptions { shard, ..options(12) }),
            Err(DataError::Setting { .. })
        ));
    }
}

#[test]
fn an_epoch_shows_every_image_once_and_the_last_batch_can_be_short() {
    let dir = folder(31);
    let dataset = open(dir.path());
    let batches = all(&dataset, LoaderOptions { drop_last: false, views: 1, ..options(8) });
    assert_eq!(batches.iter().map(|b| b.images.len()).collect::<Vec<_>>(), [8, 8, 8, 7]);
    assert!(batches.iter().all(|b| b.views.len() == 1 && b.views[0].len() == b.images.len() * 3 * 20 * 20));
    let mut seen: Vec<u32> = batches.iter().flat_map(|b| b.images.clone()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..31).collect::<Vec<_>>());
}

/// Damages five images of a folder in five ways; returns their indices in the dataset.
fn damage(root: &std::path::Path, dataset: &Dataset) -> Vec<(u32, BadReason)> {
    let write = |i, bytes: &[u8]| std::fs::write(image_path(root, i), bytes).unwrap();
    write(3, b"");
    write(7, b"this is not a picture");
    let jpeg = crate::common::fixture("420.jpg");
    write(8, &jpeg[..jpeg.len() / 2]);
    std::fs::remove_file(image_path(root, 20)).unwrap();
    // A PNG that says it is 60,000 x 60,000.
    let mut bomb = crate::common::fixture("rgb.png");
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    write(21, &bomb);
    let mut bad: Vec<_> = [
        (3, BadReason::Empty),
        (7, BadReason::Corrupt),
        (8, BadReason::Truncated),
        (20, BadReason::Vanished),
        (21, BadReason::Oversized),
    ]
    .map(|(i, reason)| (index_of(dataset, i), reason))
    .into();
    bad.sort_unstable();
    bad
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

#[test]
fn bad_images_are_named_and_replaced_by_the_next_good_one() {
    let dir = folder(60);
    let dataset = open(dir.path());
    let before = all(&dataset, LoaderOptions { max_bad_fraction: 0.5, ..options(10) });
    let bad = damage(dir.path(), &dataset);
    let mut loader = Loader::new(&dataset, LoaderOptions { max_bad_fraction: 0.5, ..options(10) }).unwrap();
    let after: Vec<_> = loader.by_ref().map(Result::unwrap).collect();
    let listed: Vec<_> = loader.bad_images().iter().map(|b| (b.index as u32, b.reason)).collect();
    assert_eq!(listed, bad);
    assert!(loader.bad_images().iter().all(|b| b.name.ends_with(".img.jpg") && !b.detail.is_empty()));
    let is_bad = |i: u32| bad.iter().any(|&(b, _)| b == i);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(new.images.len(), 10);
        for (place, (&wanted, &used)) in old.images.iter().zip(&new.images).enumerate() {
            let expected = (0..60).map(|s| (wanted + s) % 60).find(|&i| !is_bad(i)).unwrap();
            assert_eq!(used, expected);
            let floats = 3 * 20 * 20;
            let same = old.views[1][place * floats..][..floats] == new.views[1][place * floats..][..floats];
            assert_eq!(same, !is_bad(wanted), "image {wanted}");
        }
    }
    let again = all(&dataset, LoaderOptions { max_bad_fraction: 0.5, threads: 7, ..options(10) });
    assert!(content(&after) == content(&again));
}

#[test]
fn sequential_order_leaves_bad_images_out_and_says_which_are_there() {
    let dir = folder(30);
    let dataset = open(dir.path());
    let sequential = |batch| LoaderOptions {
        order: Order::Sequential,
        views: 1,
        drop_last: false,
        max_bad_fraction: 1.0,
        augmentation: Augmentation::preset("eval").unwrap(),
        ..options(batch)
    };
    let good = all(&dataset, sequential(30));
    let bad = damage(dir.path(), &dataset);
    let floats = 3 * 20 * 20;
    for batch in [1, 4, 30] {
        let batches = all(&dataset, sequential(batch));
        let images: Vec<u32> = batches.iter().flat_map(|b| b.images.clone()).collect();
        let expected: Vec<u32> = (0..30).filter(|i| bad.iter().all(|(b, _)| b != i)).collect();
        assert_eq!(images, expected, "batches of {batch}");
        let pixels: Vec<f32> = batches.iter().flat_map(|b| b.view(0).to_vec()).collect();
        for (place, &image) in images.iter().enumerate() {
            let whole = &good[0].views[0][image as usize * floats..][..floats];
            assert!(pixels[place * floats..][..floats] == *whole, "image {image}");
        }
    }
}

#[test]
fn some_images_of_a_dataset_are_loaded_as_if_there_were_no_others() {
    let dir = folder(30);
    let dataset = open(dir.path());
    let some: std::sync::Arc<[u32]> = [1, 4, 5, 9, 17, 18, 22, 29].into();
    let of = |order| LoaderOptions { order, images: Some(some.clone()), end_epoch: 4, drop_last: false, ..options(3) };
    let images = |batches: &[Batch]| batches.iter().flat_map(|batch| batch.images.clone()).collect::<Vec<u32>>();
    let sequential = all(&dataset, of(Order::Sequential));
    assert_eq!(images(&sequential), [&some[..], &some[..]].concat(), "two epochs");
    let shuffled = images(&all(&dataset, of(Order::Shuffled { seed: 11 })));
    for epoch in shuffled.chunks(8) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, &some[..]);
    }
    assert_ne!(shuffled[..8], shuffled[8..]);

    // A bad image is replaced by the next of them, not by its neighbor in the dataset.
    let bad = (0..30).find(|&i| index_of(&dataset, i) == 29).unwrap();
    std::fs::write(image_path(dir.path(), bad), b"no picture").unwrap();
    let replaced = images(&all(&dataset, LoaderOptions { max_bad_fraction: 0.5, ..of(Order::Shuffled { seed: 11 }) }));
    let wanted: Vec<u32> = shuffled.iter().map(|&image| if image == 29 { 1 } else { image }).collect();
    assert_eq!(replaced, wanted);

    for wrong in [&[][..], &[3, 3], &[4, 2], &[2, 30]] {
        let options = LoaderOptions { images: Some(wrong.into()), ..of(Order::Sequential) };
        assert!(matches!(Loader::new(&dataset, options), Err(DataError::Setting { what: "images", .. })), "{wrong:?}");
    }
}

#[test]
fn too_many_bad_images_end_the_epoch_with_a_clear_error() {
    let dir = folder(60);
    let dataset = open(dir.path());
    damage(dir.path(), &dataset);
    for threads in [1, 4] {
        let mut loader =
            Loader::new(&dataset, LoaderOptions { max_bad_fraction: 0.05, threads, ..options(10) }).unwrap();
        let error = loader.by_ref().find_map(Result::err).expect("5 of 60 are more than 5 %");
        let DataError::TooManyBad { bad, limit, ref first, .. } = error else { panic!("{error}") };
        assert!((4..=5).contains(&bad) && limit == 0.05 && first.contains(".img.jpg ("), "{error}");
        assert!(error.hint().unwrap().contains("max_bad_fraction"));
        assert!(loader.next().is_none(), "an error ends the epoch");
    }
}

#[test]
fn a_folder_of_rubbish_fails_at_once_rather_than_searching() {
    let dir = folder(200);
    for i in 0..200 {
        std::fs::write(image_path(dir.path(), i), b"rubbish").unwrap();
    }
    let dataset = open(dir.path());
    for max_bad_fraction in [0.01, 1.0] {
        let first = Loader::new(&dataset, LoaderOptions { max_bad_fraction, ..options(50) }).unwrap().next();
        assert!(matches!(first, Some(Err(DataError::TooManyBad { .. }))), "{max_bad_fraction}");
    }
}

#[test]
fn dropping_a_loader_half_way_is_quick_and_memory_is_bounded_by_prefetch() {
    let dir = folder(90);
    let dataset = open(dir.path());
    let mut loader = Loader::new(&dataset, LoaderOptions { prefetch: 2, size: 160, ..options(3) }).unwrap();
    // A buffer handed back is marked by its capacity, which no fresh one has. Only what is in flight at once is ever allocated, which
    // buffer is taken next is the threads' affair: of 13 batches at least half must come in marked ones.
    let mut reused = 0;
    for _ in 0..13 {
        let mut batch = loader.next().unwrap().unwrap();
        reused += usize::from(batch.views.iter().all(|view| view.capacity() > view.len()));
        for view in &mut batch.views {
            view.reserve_exact(view.len() + 1);
        }
        loader.recycle(batch);
    }
    assert!(reused >= 7, "{reused} of 13 batches came in used buffers");
    let started = Instant::now();
    drop(loader);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn senseless_settings_are_errors() {
    let dir = folder(5);
    let dataset = open(dir.path());
    let refused = |o: LoaderOptions| matches!(Loader::new(&dataset, o), Err(DataError::Setting { .. }));
    assert!(refused(options(0)));
    assert!(refused(options(6)), "five images do not fill a batch of six");
    assert!(!refused(LoaderOptions { drop_last: false, ..options(6) }));
    assert!(refused(LoaderOptions { views: 0, ..options(2) }));
    assert!(refused(LoaderOptions { size: 0, ..options(2) }));
    assert!(refused(LoaderOptions { max_bad_fraction: f64::NAN, ..options(2) }));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_in_a_list_does_not_block() {
    let dir = folder(3);
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe.jpg")).status();
    if !made.is_ok_and(|s| s.success()) {
        println!("skipped: mkfifo is not there");
        return;
    }
    std::fs::write(dir.path().join("list.txt"), "class0/0000.img.jpg\npipe.jpg\nclass1/0001.img.jpg\n").unwrap();
    let dataset = open(&dir.path().join("list.txt"));
    let mut loader = Loader::new(&dataset, LoaderOptions { max_bad_fraction: 1.0, ..options(3) }).unwrap();
    assert_eq!(loader.next().unwrap().unwrap().images.len(), 3);
    assert_eq!(loader.bad_images()[0].reason, BadReason::Unreadable);
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_refuse_to_be_read_are_unreadable_and_folders_named_like_images_too() {
    let dir = folder(3);
    std::fs::create_dir(dir.path().join("folder.jpg")).unwrap();
    std::os::unix::fs::symlink("loop.jpg", dir.path().join("loop.jpg")).unwrap();
    // The kernel answers a read of address 0 with an error, even root's: a disk's bad block looks the same.
    std::os::unix::fs::symlink("/proc/self/mem", dir.path().join("io-error.jpg")).unwrap();
    let lines = "class0/0000.img.jpg\nfolder.jpg\nloop.jpg\nio-error.jpg\nclass1/0001.img.jpg/not-a-folder.jpg\n";
    std::fs::write(dir.path().join("list.txt"), lines).unwrap();
    let dataset = open(&dir.path().join("list.txt"));
    let mut loader = Loader::new(&dataset, LoaderOptions { max_bad_fraction: 1.0, ..options(5) }).unwrap();
    assert_eq!(loader.next().unwrap().unwrap().images, [0; 5]);
    let bad: Vec<_> = loader.bad_images().iter().map(|b| (b.index, b.reason)).collect();
    assert_eq!(bad, [1, 2, 3, 4].map(|i| (i, BadReason::Unreadable)), "{:?}", loader.bad_images());
}

/// Root reads what it likes: the test does its part as another user.
#[cfg(unix)]
#[test]
fn files_and_folders_without_permission_are_told() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    const INNER: &str = "MOCHI_TEST_WITHOUT_PERMISSION";
    if let Some(root) = std::env::var_os(INNER) {
        let dataset = open(root.as_ref());
        assert!(dataset.len() == 6 && dataset.warnings().len() == 1, "{:?}", dataset.warnings());
        assert!(dataset.warnings()[0].contains("class2 was skipped: Permission denied"), "{:?}", dataset.warnings());
        let mut loader = Loader::new(&dataset, LoaderOptions { max_bad_fraction: 0.5, ..options(6) }).unwrap();
        assert_eq!(loader.next().unwrap().unwrap().images.len(), 6);
        let bad = loader.bad_images();
        assert!(bad.len() == 1 && bad[0].reason == BadReason::Unreadable, "{bad:?}");
        assert!(bad[0].detail.contains("Permission denied"), "{bad:?}");
        let closed = Dataset::open(&std::path::Path::new(&root).join("class2"), &mochi_data::OpenOptions::default());
        assert!(closed.unwrap_err().hint().unwrap().contains("permissions"));
        return;
    }
    let dir = folder(9);
    let close = |path: &std::path::Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    close(dir.path(), 0o755);
    close(&image_path(dir.path(), 0), 0);
    close(&dir.path().join("class2"), 0);
    // A copy, in a place that anyone can go to.
    let program = dir.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    close(&program, 0o755);
    let mut command = std::process::Command::new(&program);
    command.args(["--exact", "loading::files_and_folders_without_permission_are_told"]).env(INNER, dir.path());
    command.env("CARGO_MANIFEST_DIR", "/").current_dir("/");
    // As root, as nobody; a user's own permissions count without that.
    let output = match command.uid(NOBODY).output() {
        Err(_) => std::process::Command::new(&program)
            .args(["--exact", "loading::files_and_folders_without_permission_are_told"])
            .env(INNER, dir.path())
            .output()
            .unwrap(),
        Ok(output) => output,
    };
    close(&dir.path().join("class2"), 0o755);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
