//! A folder of images: a parallel walk with a deterministic result.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Opened, Store};
use crate::decode;
use crate::error::DataError;

/// Threads that list folders. Listing waits for the file system more than it computes, so this does not follow the cores.
const THREADS: usize = 8;

/// A folder still to be listed.
struct Task {
    /// Relative to the root; empty for the root.
    relative: PathBuf,
    /// Its path without links.
    real: PathBuf,
    /// The real paths of the folders whose links led here: going back into one of them would be a loop.
    links: Option<Arc<Link>>,
}

struct Link {
    from: PathBuf,
    before: Option<Arc<Link>>,
}

#[derive(Default)]
struct Found {
    images: Vec<Box<Path>>,
    others: usize,
    warnings: Vec<String>,
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    /// Tasks queued or being worked on; the walk is over at 0.
    open: usize,
}

pub(super) fn open(root: &Path) -> Result<Opened, DataError> {
    let fail = |source| DataError::Io { path: root.into(), source };
    // The root must be listable; folders below only give warnings.
    fs::read_dir(root).map_err(fail)?;
    let real = fs::canonicalize(root).map_err(fail)?;
    let queue = Mutex::new(Queue { tasks: vec![Task { relative: PathBuf::new(), real, links: None }], open: 1 });
    let changed = Condvar::new();
    let mut found = Found::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map_while(|i| {
                let work = || list_until_done(root, &queue, &changed);
                std::thread::Builder::new().name(format!("mochi-walk-{i}")).spawn_scoped(scope, work).ok()
            })
            .collect();
        if workers.is_empty() {
            // No thread to be had: walk on this one.
            found = list_until_done(root, &queue, &changed);
        }
        for worker in workers {
            if let Ok(part) = worker.join() {
                found.images.extend(part.images);
                found.others += part.others;
                found.warnings.extend(part.warnings);
            }
        }
    });
    if found.images.is_empty() {
        return Err(DataError::NoImages { path: root.into(), others: found.others });
    }
    let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
    found.images.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    found.warnings.sort();
    debug_assert!(found.images.is_sorted_by_key(|p| bytes(p)));
    let (labels, class_names) = classes(&found.images);
    let store = Store::Files { root: root.into(), relative: found.images };
    Ok(Opened { kind: "image folder", store, labels, class_names, warnings: found.warnings })
}

/// First folder level as class; nothing if an image lies directly in the root.
fn classes(images: &[Box<Path>]) -> (Option<Vec<u32>>, Vec<String>) {
    let first = |path: &Path| {
        let mut parts = path.components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(folder)), Some(_)) => Some(folder.to_owned()),
            _ => None,
        }
    };
    let mut numbers = BTreeMap::new();
    for image in images {
        match first(image) {
            Some(folder) => numbers.entry(folder).or_insert(0u32),
            None => return (None, Vec::new()),
        };
    }
    for (number, slot) in numbers.values_mut().enumerate() {
        *slot = number as u32;
    }
    let labels = images.iter().filter_map(|i| numbers.get(&first(i)?).copied()).collect();
    (Some(labels), numbers.keys().map(|name| name.to_string_lossy().into_owned()).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn list_until_done(root: &Path, queue: &Mutex<Queue>, changed: &Condvar) -> Found {
    let mut found = Found::default();
    loop {
        let task = {
            let mut state = lock(queue);
            loop {
                if let Some(task) = state.tasks.pop() {
                    break task;
                }
                if state.open == 0 {
                    return found;
                }
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let below = list(root, &task, &mut found);
        let mut state = lock(queue);
        state.open += below.len();
        state.open -= 1;
        state.tasks.extend(below);
        drop(state);
        changed.notify_all();
    }
}

/// Lists one folder: images into `found`, folders returned.
fn list(root: &Path, task: &Task, found: &mut Found) -> Vec<Task> {
    let folder = root.join(&task.relative);
    let mut below = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            found.warnings.push(format!("folder {} was left out: {error}", folder.display()));
            return below;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.warnings.push(format!("an entry of {} was left out: {error}", folder.display()));
                continue;
            }
        };
        let name = entry.file_name();
        // .git, .DS_Store, and the "._x.jpg" that macOS leaves beside files: never pictures.
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let relative = task.relative.join(&name);
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            below.push(Task { relative, real: task.real.join(&name), links: task.links.clone() });
        } else if kind.is_symlink() {
            let path = root.join(&relative);
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() => match through_link(task, &path, relative) {
                    Ok(next) => below.push(next),
                    Err(warning) => found.warnings.push(warning),
                },
                Ok(target) if target.is_file() => sort_file(root, relative, found),
                Ok(_) => found.others += 1,
                Err(error) => found.warnings.push(format!("link {} was left out: {error}", path.display())),
            }
        } else if kind.is_file() {
            sort_file(root, relative, found);
        } else {
            found.others += 1;
        }
    }
    below
}

fn through_link(task: &Task, path: &Path, relative: PathBuf) -> Result<Task, String> {
    let real = fs::canonicalize(path).map_err(|e| format!("link {} was left out: {e}", path.display()))?;
    let mut above = Some(&task.real);
    let mut link = task.links.as_deref();
    while let Some(folder) = above {
        if folder.starts_with(&real) {
            return Err(format!("link {} was left out: it leads back to a folder above it", path.display()));
        }
        above = link.map(|l| &l.from);
        link = link.and_then(|l| l.before.as_deref());
    }
    let links = Some(Arc::new(Link { from: task.real.clone(), before: task.links.clone() }));
    Ok(Task { relative, real, links })
}

/// A file with an image's extension counts as an image without being opened (a broken one shall be counted as bad, not
/// overlooked); any other is told by its first bytes.
fn sort_file(root: &Path, relative: PathBuf, found: &mut Found) {
    const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp"];
    let named = relative.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)));
    if named || is_image(&root.join(&relative)) {
        found.images.push(relative.into_boxed_path());
    } else {
        found.others += 1;
    }
}

fn is_image(path: &Path) -> bool {
    let mut head = Vec::with_capacity(12);
    fs::File::open(path).is_ok_and(|file| file.take(12).read_to_end(&mut head).is_ok())
        && decode::sniff(&head).is_some()
}
