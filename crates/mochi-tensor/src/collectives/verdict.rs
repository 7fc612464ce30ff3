//! Which rank failed, or was lost, after a collective failed. c10d names an address at best; the store knows ranks.
//!
//! A rank that fails by itself writes its reason into the store and leaves. The others see their collective fail, leave as well, and write that they are alive.
//! A rank of which nothing is heard for [`ANSWER_WITHIN`] was lost: killed, frozen, or cut off.

use std::time::{Duration, Instant};

use crate::collectives::member::Member;
use crate::collectives::store::{FAILURE, Store};

/// How long a sign of life is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long rank 0, which may serve the store, stays for the others to read.
const LINGER: Duration = Duration::from_secs(2);
/// How long rank 0 waits for the others at the end of a command.
const CLOSING: Duration = Duration::from_secs(60);
const STORE_GONE: &str = "rank 0 is gone or frozen, and with it the store that the ranks share";
const PAUSE: Duration = Duration::from_millis(20);

/// Tells the other ranks why `member` stops.
pub(super) fn report_failure(store: &Store, member: Member, reason: &str) {
    if matches!(store.get(FAILURE), Ok(None)) {
        let _ = store.set(FAILURE, &format!("rank {} failed: {reason}", member.rank));
    }
    let _ = store.set(&format!("alive/{}", member.rank), "");
    linger(store, member);
}

/// Says that this rank is at the end of a command; rank 0 waits until all are.
pub(super) fn close(store: &Store, member: Member) {
    arrive(store, member, "done", CLOSING);
}

/// Which rank failed or was lost, seen from `member`, which has closed its connections.
pub(super) fn verdict(store: &Store, member: Member) -> String {
    if store.set(&format!("alive/{}", member.rank), "").is_err() {
        return STORE_GONE.to_owned();
    }
    let begun = Instant::now();
    let said = loop {
        match look(store, member.size) {
            Err(gone) => return gone,
            Ok(Found::Failed(text)) => break text,
            Ok(Found::All) => {
                break "no rank was lost: the network failed, or one rank was later than the timeout".to_owned();
            }
            Ok(Found::Missing(missing)) if begun.elapsed() >= ANSWER_WITHIN => {
                let list = missing.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                break match missing.len() {
                    1 => format!("rank {list} was lost: killed, frozen or cut off"),
                    _ => format!("ranks {list} were lost: killed, frozen or cut off"),
                };
            }
            Ok(Found::Missing(_)) => std::thread::sleep(PAUSE),
        }
    };
    linger(store, member);
    said
}

fn look(store: &Store, size: usize) -> Result<Found, String> {
    let gone = |_| STORE_GONE.to_owned();
    let mut missing = Vec::new();
    for other in 0..size {
        if store.get(&format!("alive/{other}")).map_err(gone)?.is_none() {
            missing.push(other);
        }
    }
    // Read last: a rank that fails writes its reason before the sign of life that was read above.
    if let Some(text) = store.get(FAILURE).map_err(gone)? {
        return Ok(Found::Failed(text));
    }
    Ok(if missing.is_empty() { Found::All } else { Found::Missing(missing) })
}

/// Says that this rank has read; rank 0 waits until the living have.
fn linger(store: &Store, member: Member) {
    arrive(store, member, "read", LINGER);
}

/// Writes `key` for this rank; rank 0, which may serve the store, waits for those of the others, or until `limit` has passed.
fn arrive(store: &Store, Member { rank, size, .. }: Member, key: &str, limit: Duration) {
    if store.set(&format!("{key}/{rank}"), "").is_err() || rank != 0 {
        return;
    }
    let begun = Instant::now();
    let arrived = |other: usize| !matches!(store.get(&format!("{key}/{other}")), Ok(None));
    while begun.elapsed() < limit && !(1..size).all(arrived) {
        std::thread::sleep(PAUSE);
    }
}

/// What the store says.
enum Found {
    /// A rank told why it stopped.
    Failed(String),
    /// Ranks that gave no sign of life yet.
    Missing(Vec<usize>),
    /// Every rank is alive.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field case: `a_full_disk_on_rank_0_is_told_to_the_others` failed once. A rank that fails writes its reason, then that it is alive; rank 1 had read the first
    /// before and the second after, and said that no rank was lost.
    #[test]
    fn a_rank_that_is_alive_has_told_its_reason_before() {
        let rank_0 = Member { rank: 0, local_rank: 0, size: 2 };
        for round in 0..300 {
            let store = Store::local().unwrap();
            store.set("alive/1", "").unwrap();
            store.set("read/1", "").unwrap();
            let found = std::thread::scope(|scope| {
                scope.spawn(|| report_failure(&store, rank_0, "the disk is full"));
                loop {
                    match look(&store, 2).unwrap() {
                        Found::Missing(_) => {}
                        found => break found,
                    }
                }
            });
            assert!(matches!(found, Found::Failed(_)), "round {round}");
        }
    }
}
