//! Process groups: several processes (or, in tests, threads) that train together, on libtorch's c10d.
//!
//! | file | contains |
//! |---|---|
//! | `store` | [`Store`]: keys and values that all ranks see (`torch.distributed.TCPStore`) |
//! | `group` | [`Group`]: all-reduce, broadcast and all-gather of tensors; texts from rank to rank |
//! | `meeting` | how the ranks of one start find each other |
//! | `member` | [`Member`]: rank, number of ranks, rank on this machine |
//! | `verdict` | which rank failed or was lost, after a collective failed |
//! | `reducer` | [`Reducer`]: gradients averaged inside the backward pass (`DistributedDataParallel`) |
//!
//! Every rank makes the same calls in the same order, on tensors of the same shapes: gloo ends the process where sizes differ. What may differ (settings, data)
//! is compared as text first ([`Group::agree`]).

mod group;
mod meeting;
mod member;
mod reducer;
mod store;
mod verdict;

pub use group::{Group, Operation};
pub use member::Member;
pub use reducer::Reducer;
pub use store::{Address, Store};

#[cfg(test)]
mod nccl_tests;
#[cfg(test)]
mod tests;
