//! How the ranks of one start find each other in a store that can hold keys of earlier starts: torchrun keeps its store when it starts processes again.
//!
//! | key | set by | value |
//! |---|---|---|
//! | `hello/R` | rank R | a number of its own, and its number of processes |
//! | `welcome/R/OWN` | rank 0 | the number of this start |
//! | `START/joined/R` | rank R, once it was welcomed | its own number |
//!
//! Rank 0 welcomes a rank again if its number changes: the first one was of an earlier start. All other keys of the group begin with the number of the start.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use crate::TensorError;
use crate::collectives::member::Member;
use crate::collectives::store::{FAILURE, PAUSES, Store};

/// How long a rank may be late before it is mentioned.
const UNMENTIONED: Duration = Duration::from_secs(3);
/// How long rank 0 stays for a refused rank to read why.
const LINGER: Duration = Duration::from_secs(2);
/// How often a rank looks whether another process has taken its place.
const OVERWRITTEN: Duration = Duration::from_secs(1);
/// Most ranks that a message lists.
const LISTED: usize = 8;
const REFUSED: &str = "refused: ";

/// Waits until every rank has come, in the time `within`; the part of the store that belongs to this start. `waiting` is told of ranks that are late.
///
/// # Errors
/// [`TensorError::Collective`] naming the ranks that did not come, or were started with another number of processes or the same rank.
pub(super) fn meet(
    store: &Store,
    member: Member,
    within: Duration,
    waiting: &dyn Fn(usize),
) -> Result<Store, TensorError> {
    let start = if member.rank == 0 {
        welcome_all(store, member.size, within, waiting)?
    } else {
        greet(store, member, within)?
    };
    let begun = Instant::now();
    for other in 0..member.size {
        if start.wait(&joined(other), within.saturating_sub(begun.elapsed()))?.is_none() {
            return Err(absent(&[other], member.size, within));
        }
    }
    Ok(start)
}

/// Rank 0's part.
fn welcome_all(store: &Store, size: usize, within: Duration, waiting: &dyn Fn(usize)) -> Result<Store, TensorError> {
    let number = number();
    let start = store.within(&number)?;
    let mut welcomed: Vec<Option<String>> = vec![None; size];
    let mut mentioned = vec![false; size];
    let (begun, mut pause) = (Instant::now(), PAUSES[0]);
    loop {
        let mut missing = Vec::new();
        for (rank, welcomed) in welcomed.iter_mut().enumerate().skip(1) {
            let has_joined = start.get(&joined(rank))?.is_some();
            if !has_joined {
                missing.push(rank);
            }
            let Some(hello) = store.get(&format!("hello/{rank}"))? else { continue };
            if welcomed.as_ref() == Some(&hello) {
                continue;
            }
            let (own, theirs) = hello.split_once(' ').unwrap_or((&hello, ""));
            let wrong = if theirs != size.to_string() {
                Some(format!("rank {rank} was started with WORLD_SIZE {theirs}, rank 0 with {size}"))
            } else {
                welcomed.is_some().then(|| format!("two processes were started as rank {rank}"))
            };
            // In a store that others serve it can be of an earlier start.
            if let (Some(wrong), true) = (wrong, store.served_here()) {
                store.set(&welcome(rank, own), &format!("{REFUSED}{wrong}"))?;
                start.set(FAILURE, &wrong)?;
                // The store ends with this process.
                std::thread::sleep(LINGER);
                return Err(TensorError::Collective(wrong));
            }
            store.set(&welcome(rank, own), &number)?;
            *welcomed = Some(hello);
        }
        if missing.is_empty() {
            start.set(&joined(0), "")?;
            return Ok(start);
        }
        if begun.elapsed() >= within {
            return Err(absent(&missing, size, within));
        }
        if begun.elapsed() >= UNMENTIONED {
            let late = missing.iter().filter(|&&rank| !std::mem::replace(&mut mentioned[rank], true));
            late.take(LISTED).for_each(|&rank| waiting(rank));
        }
        store.check_stop()?;
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// The part of any other rank.
fn greet(store: &Store, Member { rank, size, .. }: Member, within: Duration) -> Result<Store, TensorError> {
    let (hello, own) = (format!("hello/{rank}"), number());
    let mine = format!("{own} {size}");
    store.set(&hello, &mine)?;
    let begun = Instant::now();
    let answer = loop {
        let left = within.saturating_sub(begun.elapsed());
        if let Some(answer) = store.wait(&welcome(rank, &own), left.min(OVERWRITTEN))? {
            break answer;
        }
        // No process of an earlier start is alive to do that.
        if store.get(&hello)?.is_some_and(|now| now != mine) {
            return Err(TensorError::Collective(format!("two processes were started as rank {rank}")));
        }
        if left.is_zero() {
            return Err(absent(&[0], size, within));
        }
    };
    if let Some(wrong) = answer.strip_prefix(REFUSED) {
        return Err(TensorError::Collective(wrong.to_owned()));
    }
    let start = store.within(&answer)?;
    start.set(&joined(rank), &own)?;
    Ok(start)
}

fn joined(rank: usize) -> String {
    format!("joined/{rank}")
}

fn welcome(rank: usize, own: &str) -> String {
    format!("welcome/{rank}/{own}")
}

/// A number that no other process has, and no other call.
fn number() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

fn absent(ranks: &[usize], size: usize, within: Duration) -> TensorError {
    let mut list: Vec<String> = ranks.iter().take(LISTED).map(usize::to_string).collect();
    if ranks.len() > LISTED {
        list.push(format!("and {} more", ranks.len() - LISTED));
    }
    TensorError::Collective(format!(
        "of {size} processes, {} not come within {} s: rank {}",
        if ranks.len() == 1 { "one has" } else { "these have" },
        within.as_secs(),
        list.join(", ")
    ))
}
