//! A folder of images: a parallel walk with a deterministic result, which lists anew only what an index does not know.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use super::cache::Cache;
use super::index::{self, Index, NAME_MAX, PATH_MAX};
use super::listing::{Listing, Stamp, list, through_link};
use super::paths::{Paths, as_bytes, as_path};
use super::patience::Watch;
use super::tally::Tally;
use crate::error::DataError;

/// Threads that list folders. Listing waits for the file system more than it computes, so this does not follow the cores.
const THREADS: usize = 8;

/// What is below a folder.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Relative to the folder, in the order of their bytes.
    pub(super) images: Paths,
    pub(super) others: usize,
    pub(super) warnings: Vec<String>,
    /// Folders listed anew; the others were as the index remembered them.
    pub(super) listed: usize,
}

/// A folder still to be looked at.
struct Task {
    id: usize,
    /// Relative to the root; empty for the root.
    relative: Vec<u8>,
    /// Its path without links.
    real: PathBuf,
    /// The real paths of the folders whose links led here: going back into one of them would be a loop.
    links: Option<Arc<Link>>,
}

struct Link {
    from: PathBuf,
    before: Option<Arc<Link>>,
}

/// A folder that was looked at.
#[derive(Default)]
struct Node {
    relative: Vec<u8>,
    listing: Listing,
    /// Names of the folders below, links included, and their nodes.
    below: Vec<(Vec<u8>, usize)>,
    fresh: bool,
}

#[derive(Default)]
struct State {
    tasks: Vec<Task>,
    /// Tasks queued or being worked on; the walk is over at 0.
    open: usize,
    /// By task; a task's place is taken when it is queued.
    nodes: Vec<Node>,
}

/// Goes through everything below `root`. Folders below it that cannot be read give warnings; the root must be readable.
pub(super) fn walk(root: &Path, cache: &Cache, watch: &Watch, tally: &Tally) -> Result<Walked, DataError> {
    let begun = (Instant::now(), SystemTime::now());
    let fail = |source| DataError::Io { path: root.into(), source };
    let real = watch.during(root, || fs::read_dir(root).and_then(|_| fs::canonicalize(root))).map_err(fail)?;
    let mut warnings = Vec::new();
    let known = cache.load(&real, &mut warnings);
    let first = Task { id: 0, relative: Vec::new(), real: real.clone(), links: None };
    let walk = Walk {
        root,
        known: &known,
        watch,
        tally,
        state: Mutex::new(State { tasks: vec![first], open: 1, nodes: vec![Node::default()] }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        let threads = (1..THREADS)
            .map_while(|i| {
                let name = format!("mochi-walk-{i}");
                std::thread::Builder::new().name(name).spawn_scoped(scope, || walk.work()).ok()
            })
            .count();
        debug_assert!(threads < THREADS);
        walk.work();
    });
    let nodes = walk.state.into_inner().unwrap_or_else(PoisonError::into_inner).nodes;
    let files: usize = nodes.iter().map(|node| node.listing.images.len() + node.listing.others).sum();
    if files >= cache.least_files || begun.0.elapsed() >= cache.least_time {
        keep(&real, &nodes, &known, cache, begun.1, &mut warnings);
    }
    Ok(gather(nodes, warnings))
}

struct Walk<'a> {
    root: &'a Path,
    known: &'a Index,
    watch: &'a Watch,
    tally: &'a Tally,
    state: Mutex<State>,
    changed: Condvar,
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut state = self.lock();
            let task = loop {
                if let Some(task) = state.tasks.pop() {
                    break task;
                }
                if state.open == 0 {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            let folder = self.root.join(as_path(&task.relative));
            let (mut listing, fresh) = self.watch.during(&folder, || self.look(&folder, &task.relative));
            self.tally.add(listing.images.len());
            let below = self.below(&folder, &task, &mut listing);

            let mut state = self.lock();
            let mut names = Vec::with_capacity(below.len());
            for (name, mut next) in below {
                next.id = state.nodes.len();
                names.push((name, next.id));
                state.nodes.push(Node::default());
                state.tasks.push(next);
                state.open += 1;
            }
            state.open -= 1;
            if let Some(node) = state.nodes.get_mut(task.id) {
                *node = Node { relative: task.relative, listing, below: names, fresh };
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// What the folder holds: as the index has it where that still holds, else listed; and whether it was listed.
    fn look(&self, folder: &Path, relative: &[u8]) -> (Listing, bool) {
        // Before listing: what changes meanwhile makes the stamp an old one.
        match fs::metadata(folder) {
            Ok(metadata) => {
                let stamp = Stamp::of(&metadata);
                match self.known.get(relative, stamp) {
                    Some(listing) => (listing, false),
                    None => (list(folder, stamp, self.watch), true),
                }
            }
            Err(error) => {
                let warnings = vec![format!("folder {} was left out: {error}", folder.display())];
                (Listing { warnings, ..Listing::default() }, true)
            }
        }
    }

    /// The folders below, real ones and those behind links.
    fn below(&self, folder: &Path, task: &Task, listing: &mut Listing) -> Vec<(Vec<u8>, Task)> {
        let relative = |name: &[u8]| {
            let mut path = Paths::default();
            path.push_joined(&task.relative, name);
            path.get(0).unwrap_or_default().to_vec()
        };
        let mut below = Vec::with_capacity(listing.folders.len() + listing.linked.len());
        for name in listing.folders.iter() {
            let (real, links) = (task.real.join(as_path(name)), task.links.clone());
            below.push((name.to_vec(), Task { id: 0, relative: relative(name), real, links }));
        }
        for name in std::mem::take(&mut listing.linked) {
            let before = std::iter::successors(task.links.as_deref(), |link| link.before.as_deref());
            let above = std::iter::once(&task.real).chain(before.map(|link| &link.from));
            let path = folder.join(as_path(&name));
            match self.watch.during(&path, || through_link(&path, above)) {
                Ok(real) => {
                    let links = Some(Arc::new(Link { from: task.real.clone(), before: task.links.clone() }));
                    below.push((name.clone(), Task { id: 0, relative: relative(&name), real, links }));
                }
                Err(warning) => listing.warnings.push(warning),
            }
        }
        below
    }
}

/// Puts the folders together. A folder counts as its name and a slash, so going through each in the order of its entries gives the
/// order of the whole paths' bytes.
fn gather(nodes: Vec<Node>, warnings: Vec<String>) -> Walked {
    let mut walked = Walked { warnings, ..Walked::default() };
    for node in &nodes {
        walked.others += node.listing.others;
        walked.warnings.extend_from_slice(&node.listing.warnings);
        walked.listed += usize::from(node.fresh);
    }
    walked.warnings.sort();
    let mut turns: Vec<std::vec::IntoIter<Turn>> = vec![turns_of(&nodes, 0)];
    while let Some(last) = turns.last_mut() {
        match last.next() {
            Some(Turn::Images { node, from, to }) => {
                let Some(node) = nodes.get(node) else { continue };
                let images = (from..to).filter_map(|i| node.listing.images.get(i));
                images.for_each(|name| walked.images.push_joined(&node.relative, name));
            }
            Some(Turn::Folder(node)) => turns.push(turns_of(&nodes, node)),
            None => drop(turns.pop()),
        }
    }
    walked.images.shrink();
    walked
}

/// A stretch of a folder's images, or the folder that comes between two.
enum Turn {
    Images { node: usize, from: usize, to: usize },
    Folder(usize),
}

fn turns_of(nodes: &[Node], id: usize) -> std::vec::IntoIter<Turn> {
    let mut turns = Vec::new();
    let Some(node) = nodes.get(id) else { return turns.into_iter() };
    let mut below: Vec<(Vec<u8>, usize)> = node.below.clone();
    below.iter_mut().for_each(|(name, _)| name.push(b'/'));
    below.sort_unstable();
    let images = &node.listing.images;
    let mut from = 0;
    for (name, folder) in below {
        let mut to = from;
        while images.get(to).is_some_and(|image| image < &name[..]) {
            to += 1;
        }
        turns.extend([Turn::Images { node: id, from, to }, Turn::Folder(folder)]);
        from = to;
    }
    turns.push(Turn::Images { node: id, from, to: images.len() });
    turns.into_iter()
}

/// Keeps an index for the next time, if it would differ from the one that there is.
fn keep(real: &Path, nodes: &[Node], known: &Index, cache: &Cache, begun: SystemTime, warnings: &mut Vec<String>) {
    let fits = |names: &Paths| names.iter().all(|name| name.len() <= NAME_MAX);
    let mut kept = Vec::with_capacity(nodes.len());
    let mut news = false;
    for node in nodes {
        let Some(stamp) = node.listing.stamp.filter(|stamp| stamp.is_settled(begun, cache.settle)) else { continue };
        let fits = !node.fresh || fits(&node.listing.images) && fits(&node.listing.folders);
        if fits && node.relative.len() <= PATH_MAX {
            kept.push((&node.relative[..], stamp, &node.listing));
            news |= node.fresh;
        }
    }
    if news || kept.len() != known.len() {
        kept.sort_unstable_by_key(|(path, _, _)| *path);
        cache.store(real, &index::write(as_bytes(real), &kept), warnings);
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
