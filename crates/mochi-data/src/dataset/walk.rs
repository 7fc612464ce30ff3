//! Parallel search of a folder for images, with a deterministic result.
//!
//! Every folder is read once, identified by device and inode, however many links lead to it. The first round does not follow links; the next round
//! searches the targets of the links in the order of their paths, and so on. The result does not depend on threads or on how often folders link to
//! each other.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::counter::Counter;
use super::listing::{Listing, list};
use super::paths::{Paths, as_path};
use super::timeout::Watch;
use crate::error::DataError;
use crate::skipped::Skipped;

/// Number of threads that list folders. Listing mostly waits for the file system, so the number does not depend on the cores.
const THREADS: usize = 8;

/// Images below a folder.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Paths relative to the folder, sorted by their bytes.
    pub(super) images: Paths,
    pub(super) skipped: Skipped,
    pub(super) warnings: Vec<String>,
}

/// Device and inode.
type Identity = (u64, u64);

/// Folder to be listed.
struct Task {
    id: usize,
    /// Relative to the root; empty for the root.
    relative: Vec<u8>,
    /// Path without links.
    real: PathBuf,
    /// Start of a round: the root, or the target of a link.
    is_start: bool,
}

/// Listed folder.
#[derive(Default)]
struct Node {
    relative: Vec<u8>,
    real: PathBuf,
    identity: Option<Identity>,
    listing: Listing,
    /// Names of its subfolders, including links, and their nodes.
    below: Vec<(Vec<u8>, usize)>,
    /// Whether it was read under another path.
    repeated: bool,
}

#[derive(Default)]
struct State {
    tasks: Vec<Task>,
    /// Number of tasks that are queued or in progress; the round ends at 0.
    open: usize,
    /// Results by task. A task gets its index when it is queued.
    nodes: Vec<Node>,
    /// Whether a thread panicked; the others then stop.
    failed: bool,
}

/// Finds all images below `root`. Folders below it that cannot be read give warnings; the root must be readable.
pub(super) fn walk(root: &Path, watch: &Watch, counter: &Counter) -> Result<Walked, DataError> {
    let fail = |source| DataError::Io { path: root.into(), source };
    let (real, identity) = watch
        .during(root, || {
            fs::read_dir(root)?;
            Ok((fs::canonicalize(root)?, identity(&fs::metadata(root)?)))
        })
        .map_err(fail)?;
    let mut walk = Walk {
        root,
        watch,
        counter,
        seen: HashSet::from([identity]),
        state: Mutex::new(State { nodes: vec![Node::default()], ..State::default() }),
        changed: Condvar::new(),
    };
    let mut starts = vec![Task { id: 0, relative: Vec::new(), real: real.clone(), is_start: true }];
    let (mut warnings, mut repeated) = (Vec::new(), Vec::new());
    let mut first = 0;
    while !starts.is_empty() {
        walk.round(starts);
        starts = walk.follow_links(first, &real, &mut warnings, &mut repeated);
        // The nodes of the starts exist already.
        first = walk.lock().nodes.len() - starts.len();
    }
    let nodes = walk.state.into_inner().unwrap_or_else(PoisonError::into_inner).nodes;
    Ok(gather(nodes, warnings, repeated))
}

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Stops the other threads if its own panics; otherwise they would wait forever for the folder that it was listing.
struct Guard<'a, 'b>(&'a Walk<'b>);

impl Drop for Guard<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().failed = true;
            self.0.changed.notify_all();
        }
    }
}

struct Walk<'a> {
    root: &'a Path,
    watch: &'a Watch,
    counter: &'a Counter,
    /// Folders of earlier rounds and the starts of this round.
    seen: HashSet<Identity>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guard(&self) -> Guard<'_, '_> {
        Guard(self)
    }

    /// Lists everything below `starts` without following links.
    fn round(&self, starts: Vec<Task>) {
        {
            let mut state = self.lock();
            state.open = starts.len();
            state.tasks = starts;
        }
        std::thread::scope(|scope| {
            for i in 1..THREADS {
                let name = format!("mochi-walk-{i}");
                // Fewer threads are sufficient, but slower.
                let _ = std::thread::Builder::new().name(name).spawn_scoped(scope, || self.work());
            }
            self.work();
        });
    }

    fn work(&self) {
        let _guard = self.guard();
        loop {
            let mut state = self.lock();
            let task = loop {
                if state.failed || state.open == 0 {
                    return;
                }
                if let Some(task) = state.tasks.pop() {
                    break task;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            let folder = self.root.join(as_path(&task.relative));
            let (id, node) = self.watch.during(&folder, || self.list(&folder, task));
            self.counter.add(node.listing.images.len());

            let mut state = self.lock();
            let mut node = node;
            for name in node.listing.folders.iter() {
                let id = state.nodes.len();
                let (relative, real) = (joined(&node.relative, name), node.real.join(as_path(name)));
                node.below.push((name.to_vec(), id));
                state.nodes.push(Node::default());
                state.tasks.push(Task { id, relative, real, is_start: false });
                state.open += 1;
            }
            state.open -= 1;
            if let Some(slot) = state.nodes.get_mut(id) {
                *slot = node;
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    fn list(&self, folder: &Path, task: Task) -> (usize, Node) {
        let Task { id, relative, real, is_start } = task;
        let mut node = Node { relative, real, ..Node::default() };
        match fs::metadata(folder) {
            Ok(metadata) => {
                let identity = identity(&metadata);
                node.identity = Some(identity);
                node.repeated = !is_start && self.seen.contains(&identity);
                if !node.repeated {
                    node.listing = list(folder, self.watch);
                }
            }
            Err(error) => node.listing.warnings.push(format!("folder {} was skipped: {error}", folder.display())),
        }
        (id, node)
    }

    /// Follows the links of the nodes from `first`. Returns the starts of the next round, each with its node.
    fn follow_links(
        &mut self,
        first: usize,
        real_root: &Path,
        warnings: &mut Vec<String>,
        repeated: &mut Vec<Vec<u8>>,
    ) -> Vec<Task> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut links = Vec::new();
        for (at, node) in state.nodes.iter().enumerate().skip(first) {
            self.seen.extend(node.identity);
            if node.repeated {
                repeated.push(node.relative.clone());
            }
            links.extend(node.listing.linked.iter().map(|name| (joined(&node.relative, name), at, name.clone())));
        }
        links.sort_unstable();
        let mut starts = Vec::new();
        for (relative, parent, name) in links {
            let path = self.root.join(as_path(&relative));
            let followed = self.watch.during(&path, || Ok((fs::canonicalize(&path)?, identity(&fs::metadata(&path)?))));
            let (real, identity) = match followed {
                Ok(followed) => followed,
                Err(error) => {
                    let error: std::io::Error = error;
                    warnings.push(format!("link {} was skipped: {error}", path.display()));
                    continue;
                }
            };
            let id = state.nodes.len();
            let Some(node) = state.nodes.get_mut(parent) else { continue };
            if node.real.starts_with(&real) || real_root.starts_with(&real) {
                warnings.push(format!("link {} was skipped: it leads to a folder above it", path.display()));
            } else if self.seen.insert(identity) {
                node.below.push((name, id));
                state.nodes.push(Node::default());
                starts.push(Task { id, relative, real, is_start: true });
            } else {
                repeated.push(relative);
            }
        }
        starts
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Paths::default();
    path.push_joined(folder, name);
    path.get(0).unwrap_or_default().to_vec()
}

/// Joins the folders. A folder sorts as its name with a slash, so that visiting entries in order gives the byte order of the paths.
fn gather(nodes: Vec<Node>, warnings: Vec<String>, mut repeated: Vec<Vec<u8>>) -> Walked {
    let mut walked = Walked { warnings, ..Walked::default() };
    for node in &nodes {
        walked.skipped.add(&node.listing.skipped);
        walked.warnings.extend_from_slice(&node.listing.warnings);
    }
    repeated.sort_unstable();
    if let Some(first) = repeated.first() {
        let first = as_path(first).display();
        walked.warnings.push(match repeated.len() {
            1 => format!("{first} leads to a folder that is already part of the dataset; its images are used once"),
            n => format!("{n} links lead to folders that are already part of the dataset; their images are used once; first: {first}"),
        });
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

/// Range of a folder's images, or a folder between two ranges.
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

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
