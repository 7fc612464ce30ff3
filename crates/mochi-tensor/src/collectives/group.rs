//! A group of ranks and its collectives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::collectives::meeting::meet;
use crate::collectives::member::Member;
use crate::collectives::store::{Address, FAILURE, Store, c_string, int, millis};
use crate::collectives::verdict;
use crate::ffi::{self, RawGroup};
use crate::{Tensor, TensorError};

/// How an all-reduce combines the ranks' values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Their sum.
    Sum,
    /// Their maximum.
    Max,
}

/// The ranks that train together, seen from one of them.
#[derive(Debug)]
pub struct Group {
    raw: *mut RawGroup,
    store: Store,
    member: Member,
    timeout: Duration,
    /// Texts exchanged so far: each exchange has keys of its own.
    exchanges: AtomicU64,
}

// SAFETY: the shim's group is counted atomically and guards its backend by a lock; c10d's backends may be called from any thread. That ranks make
// their calls in the same order is a matter of results, not of memory.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    /// Joins the group whose ranks meet in `store`. Tensors of CPUs go by gloo; with `gpus`, tensors of NVIDIA GPUs go by NCCL. `address` is where rank 0 is reached, from which the network interface follows unless
    /// `GLOO_SOCKET_IFNAME` names one. `waiting` is told of ranks that are late. A collective fails if a rank has not come to it within `timeout`.
    ///
    /// # Errors
    /// [`TensorError::Collective`] naming the ranks that did not come in the time `within`, or with what c10d says.
    pub fn join(
        store: Store,
        gpus: bool,
        address: &Address,
        member: Member,
        within: Duration,
        timeout: Duration,
        waiting: &dyn Fn(usize),
    ) -> Result<Self, TensorError> {
        let Member { rank, size, .. } = member;
        let store = meet(&store, member, within, waiting)?;
        let host = c_string(&address.host)?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: a live store, NUL-terminated texts that outlive the call, a valid place for a handle.
        ffi::check(unsafe {
            ffi::mochi_group_open(
                store.raw(),
                gpus.into(),
                host.as_ptr(),
                int(address.port.into()),
                int(rank),
                int(size),
                millis(timeout),
                &mut raw,
            )
        })
        .map_err(|error| {
            let error = collective(error);
            let text = match error.to_string().split_once("Unable to find address for: ") {
                Some((_, name)) => {
                    format!("GLOO_SOCKET_IFNAME is {name}, a network interface that this machine does not have")
                }
                None => error.to_string(),
            };
            // What c10d says when another rank is gone names none.
            if ["connectFullMesh", "timeout"].iter().any(|sign| text.contains(sign)) {
                return TensorError::Collective(format!("connecting: {} ({text})", verdict::verdict(&store, member)));
            }
            let _ = store.set(FAILURE, &format!("rank {rank} failed: {text}"));
            TensorError::Collective(text)
        })?;
        let group = Self { raw, store, member, timeout, exchanges: AtomicU64::new(0) };
        group.all_have_connected()?;
        Ok(group)
    }

    /// Waits until every rank is connected: one that left before would break the connections that others still make.
    fn all_have_connected(&self) -> Result<(), TensorError> {
        self.store.set(&format!("connected/{}", self.rank()), "")?;
        for other in 0..self.size() {
            if self.store.wait(&format!("connected/{other}"), self.timeout)?.is_none() {
                let seconds = self.timeout.as_secs();
                return Err(TensorError::Collective(format!("rank {other} has not connected within {seconds} s")));
            }
        }
        Ok(())
    }

    /// `size` ranks that are threads of this process: for tests.
    ///
    /// # Errors
    /// As [`Self::join`].
    pub fn of_threads<T: Send>(
        size: usize,
        timeout: Duration,
        work: impl Fn(Group) -> T + Sync,
    ) -> Result<Vec<T>, TensorError> {
        let store = Store::local()?;
        let address = Address { host: String::new(), port: 1 };
        let stores = (0..size).map(|_| store.within("threads")).collect::<Result<Vec<_>, _>>()?;
        std::thread::scope(|scope| {
            let threads: Vec<_> = stores
                .into_iter()
                .enumerate()
                .map(|(rank, store)| {
                    let (work, address) = (&work, &address);
                    scope.spawn(move || {
                        let member = Member { rank, size, local_rank: rank };
                        Group::join(store, false, address, member, timeout, timeout, &|_| {}).map(work)
                    })
                })
                .collect();
            let died = || TensorError::Collective("a rank's thread panicked".to_owned());
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(died()))).collect()
        })
    }

    /// This rank's place.
    pub fn member(&self) -> Member {
        self.member
    }

    /// This rank, from 0.
    pub fn rank(&self) -> usize {
        self.member.rank
    }

    /// Number of ranks.
    pub fn size(&self) -> usize {
        self.member.size
    }

    /// How long a rank waits for the others.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The store in which the ranks met.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether a collective has failed. All later ones fail as well.
    pub fn failed(&self) -> bool {
        // SAFETY: a live group.
        unsafe { ffi::mochi_group_failed(self.raw) == 1 }
    }

    /// Combines a tensor with those of the other ranks, in place, without a gradient. `what` it is for appears in the error.
    ///
    /// # Errors
    /// [`TensorError::Collective`] where a rank is gone or late.
    pub fn all_reduce(&self, tensor: &mut Tensor, operation: Operation, what: &str) -> Result<(), TensorError> {
        let (what, op) = (c_string(what)?, i32::from(operation == Operation::Max));
        // SAFETY: a live group and tensor, a NUL-terminated text; the shim waits until the collective is done.
        ffi::check(unsafe { ffi::mochi_all_reduce(self.raw, ffi::raw(tensor), op, what.as_ptr()) }).map_err(collective)
    }

    /// Overwrites a tensor with that of rank `root`.
    ///
    /// # Errors
    /// As [`Self::all_reduce`].
    pub fn broadcast(&self, tensor: &mut Tensor, root: usize, what: &str) -> Result<(), TensorError> {
        let what = c_string(what)?;
        // SAFETY: as above.
        ffi::check(unsafe { ffi::mochi_broadcast(self.raw, ffi::raw(tensor), int(root), what.as_ptr()) })
            .map_err(collective)
    }

    /// Rows (n, ...) of every rank one after the other, (size * n, ...), without a gradient.
    ///
    /// # Errors
    /// As [`Self::all_reduce`].
    pub fn all_gather(&self, rows: &Tensor, what: &str) -> Result<Tensor, TensorError> {
        let rows = rows.f_detach()?.f_contiguous()?;
        let mut shape = rows.size();
        match shape.first_mut() {
            Some(n) => *n *= i64::try_from(self.size()).unwrap_or(i64::MAX),
            None => return Err(TensorError::Mismatch("a scalar has no rows to gather".into())),
        }
        let all = rows.f_new_empty(&shape, (rows.kind(), rows.device()))?;
        let what = c_string(what)?;
        // SAFETY: live, contiguous tensors; the shim checks that the output holds every rank's rows, and waits.
        ffi::check(unsafe { ffi::mochi_all_gather(self.raw, ffi::raw(&all), ffi::raw(&rows), what.as_ptr()) })
            .map_err(collective)?;
        Ok(all)
    }

    /// The first `sent[0]` rows to rank 0, the next `sent[1]` to rank 1 and so on; returns `received[0]` rows from rank 0, then those of rank 1 and
    /// so on. Every rank knows how many rows it gets from which.
    ///
    /// # Errors
    /// As [`Self::all_reduce`]; [`TensorError::Collective`] where the counts are not those of the rows.
    pub fn all_to_all(&self, rows: &Tensor, sent: &[i64], received: &[i64], what: &str) -> Result<Tensor, TensorError> {
        if sent.len() != self.size() || received.len() != self.size() || rows.dim() == 0 {
            return Err(TensorError::Mismatch(format!("expected counts for each of {} ranks, and rows", self.size())));
        }
        let rows = rows.f_detach()?.f_contiguous()?;
        let mut shape = rows.size();
        shape[0] = received.iter().sum();
        let found = rows.f_new_empty(&shape, (rows.kind(), rows.device()))?;
        let what = c_string(what)?;
        let (of, to) = (received.as_ptr(), sent.as_ptr());
        // SAFETY: live, contiguous tensors and a count for each rank; the shim checks the sums, and waits.
        ffi::check(unsafe {
            ffi::mochi_all_to_all(self.raw, ffi::raw(&found), ffi::raw(&rows), of, to, what.as_ptr())
        })
        .map_err(collective)?;
        Ok(found)
    }

    /// The bytes of every rank, by rank, on rank 0; nothing on the others.
    ///
    /// # Errors
    /// As [`Self::all_reduce`].
    pub fn gather_bytes(&self, bytes: &[u8], what: &str) -> Result<Vec<Vec<u8>>, TensorError> {
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let lengths = Vec::<i64>::try_from(&self.all_gather(&Tensor::f_from_slice(&[length])?, what)?)?;
        let (mut sent, mut received) = (vec![0; self.size()], vec![0; self.size()]);
        sent[0] = length;
        if self.rank() == 0 {
            received.clone_from(&lengths);
        }
        let all = Vec::<u8>::try_from(&self.all_to_all(&Tensor::f_from_slice(bytes)?, &sent, &received, what)?)?;
        let mut rest = all.as_slice();
        let parts = received.iter().map(|&length| {
            let (part, others) = rest.split_at(usize::try_from(length).unwrap_or(0).min(rest.len()));
            rest = others;
            part.to_vec()
        });
        Ok(if self.rank() == 0 { parts.collect() } else { Vec::new() })
    }

    /// The largest value of any rank, of each of some numbers.
    ///
    /// # Errors
    /// As [`Self::all_reduce`].
    pub fn largest<const N: usize>(&self, own: [f64; N], what: &str) -> Result<[f64; N], TensorError> {
        let mut most = Tensor::f_from_slice(&own)?;
        self.all_reduce(&mut most, Operation::Max, what)?;
        let mut all = own;
        all.iter_mut().zip(Vec::<f64>::try_from(&most)?).for_each(|(own, most)| *own = most);
        Ok(all)
    }

    /// The sum over ranks, with a gradient: the sum of the gradients of all ranks' results.
    ///
    /// # Errors
    /// As [`Self::all_reduce`].
    pub(crate) fn all_reduce_sum(&self, x: &Tensor) -> Result<Tensor, TensorError> {
        // SAFETY: live handles; the shim keeps the group as long as the graph.
        ffi::new_tensor(|out| unsafe { ffi::mochi_all_reduce_sum(self.raw, ffi::raw(x), out) }).map_err(collective)
    }

    /// Every rank's text, by rank.
    ///
    /// # Errors
    /// [`TensorError::Collective`] naming a rank that failed, or has not come within [`Self::timeout`].
    pub fn share_text(&self, text: &str) -> Result<Vec<String>, TensorError> {
        let exchange = self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.store.set(&format!("text/{exchange}/{}", self.rank()), text)?;
        (0..self.size()).map(|rank| self.read(exchange, rank)).collect()
    }

    /// Rank 0's text, made by `text` there.
    ///
    /// # Errors
    /// As [`Self::share_text`], and what `text` returns.
    pub fn broadcast_text<E: From<TensorError>>(&self, text: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        let exchange = self.exchanges.fetch_add(1, Ordering::Relaxed);
        if self.rank() != 0 {
            return Ok(self.read(exchange, 0)?);
        }
        let text = text()?;
        self.store.set(&format!("text/{exchange}/0"), &text)?;
        Ok(text)
    }

    /// Checks that every rank holds the same text, of one or more lines.
    ///
    /// # Errors
    /// [`TensorError::Collective`] with the first rank that differs from rank 0, and the first line of each that the other does not have.
    pub fn agree(&self, what: &str, mine: &str) -> Result<(), TensorError> {
        let all = self.share_text(mine)?;
        let Some(rank) = all.iter().position(|text| text != &all[0]) else { return Ok(()) };
        let only = |of: &str, other: &str| -> String {
            let line = of.lines().find(|line| !other.lines().any(|theirs| theirs == *line));
            line.map_or_else(|| "fewer".to_owned(), str::to_owned)
        };
        Err(TensorError::Collective(format!(
            "rank {rank} has other {what} than rank 0: {} instead of {}",
            only(&all[rank], &all[0]),
            only(&all[0], &all[rank])
        )))
    }

    fn read(&self, exchange: u64, rank: usize) -> Result<String, TensorError> {
        let text = self.store.wait(&format!("text/{exchange}/{rank}"), self.timeout)?;
        text.ok_or_else(|| {
            TensorError::Collective(format!("rank {rank} has not come within {} s", self.timeout.as_secs()))
        })
    }

    /// Tells the other ranks why this one stops, and leaves.
    pub fn report_failure(&self, reason: &str) {
        self.leave();
        verdict::report_failure(&self.store, self.member, reason);
    }

    /// The failure that a rank reported first.
    pub fn reported_failure(&self) -> Option<String> {
        self.store.get(FAILURE).ok().flatten()
    }

    /// After a collective failed: leaves, and says which rank failed or was lost, as one sentence without a full stop.
    pub fn verdict(&self) -> String {
        self.leave();
        verdict::verdict(&self.store, self.member)
    }

    /// Waits until every rank has come here, so that rank 0 does not close the store while another needs it.
    pub fn close(&self) {
        verdict::close(&self.store, self.member);
    }

    /// Closes this rank's connections, so that the others notice at once. The store stays open.
    pub(super) fn leave(&self) {
        // SAFETY: a live group.
        unsafe { ffi::mochi_group_leave(self.raw) }
    }

    /// For the shim.
    pub(crate) fn raw(&self) -> *mut RawGroup {
        self.raw
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the handle is live and not used afterwards; the shim keeps what graphs still need.
        unsafe { ffi::mochi_group_close(self.raw) }
    }
}

/// The shim's error as one of a collective.
pub(super) fn collective(error: TensorError) -> TensorError {
    match error {
        TensorError::Torch(text) => TensorError::Collective(without_source(&text)),
        other => other,
    }
}

/// gloo's messages without places and conditions of its source: `averaging gradients: [/x/pair.cc:547] Connection closed by peer` and
/// `[enforce fail at /x/device.cc:84] ifa != nullptr. Unable to find address for: eth7`.
fn without_source(text: &str) -> String {
    if let Some((_, reason)) = text.strip_prefix("[enforce fail at ").and_then(|rest| rest.split_once(". ")) {
        return reason.to_owned();
    }
    match text.split_once(": [/").and_then(|(what, rest)| Some((what, rest.split_once("] ")?.1))) {
        Some((what, reason)) => format!("{what}: {reason}"),
        None => text.to_owned(),
    }
}
