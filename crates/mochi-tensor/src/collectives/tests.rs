use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::meeting::meet;
use super::{Address, Group, Member, Operation, Reducer, Store};
use crate::{Affine, BatchNorm, Device, Kind, NormMode, ParameterStore, Role, Tensor, no_grad, with_seed};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Work of `size` ranks, which are threads.
fn ranks<T: Send>(size: usize, work: impl Fn(Arc<Group>) -> T + Sync) -> Vec<T> {
    Group::of_threads(size, TIMEOUT, |group| work(Arc::new(group))).unwrap()
}

fn normal(shape: &[i64], seed: u64) -> Tensor {
    with_seed(seed, || Tensor::randn(shape, (Kind::Float, Device::Cpu)))
}

/// Largest difference over the largest value of `wanted`.
fn difference(found: &Tensor, wanted: &Tensor) -> f64 {
    let scale = wanted.abs().max().double_value(&[]).max(1e-30);
    (found - wanted).abs().max().double_value(&[]) / scale
}

/// A rank's slice of a batch.
fn slice(batch: &Tensor, group: &Group) -> Tensor {
    let rows = batch.size()[0] / group.size() as i64;
    batch.narrow(0, group.rank() as i64 * rows, rows)
}

#[test]
fn tensors_are_summed_gathered_and_broadcast_in_the_order_of_ranks() {
    let found = ranks(3, |group| {
        let rank = group.rank() as f64;
        let mut sum = Tensor::full([2], rank + 1.0, (Kind::Float, Device::Cpu));
        group.all_reduce(&mut sum, Operation::Sum, "a test").unwrap();
        let mut first = Tensor::full([1], rank, (Kind::Int64, Device::Cpu));
        group.broadcast(&mut first, 1, "a test").unwrap();
        let rows = group.all_gather(&Tensor::from_slice(&[rank, rank * 10.0]).view([1, 2]), "a test").unwrap();
        let texts = group.share_text(&format!("of {rank}")).unwrap();
        let told = group.broadcast_text(|| Ok::<_, crate::TensorError>("told".to_owned())).unwrap();
        (
            sum.double_value(&[1]),
            first.int64_value(&[0]),
            Vec::<f64>::try_from(rows.view(-1)).unwrap(),
            texts.join(" "),
            told,
        )
    });
    let rows = vec![0.0, 0.0, 1.0, 10.0, 2.0, 20.0];
    assert_eq!(found, vec![(6.0, 1, rows, "of 0 of 1 of 2".to_owned(), "told".to_owned()); 3]);
}

/// libtorch's flight recorder, one for the process, was written by several threads at once: the first collectives of two groups could end the process.
#[test]
fn groups_of_several_threads_may_begin_their_first_collective_at_once() {
    let together = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..150 {
                    together.wait();
                    let sum = ranks(1, |group| {
                        let mut sum = Tensor::ones([1], (Kind::Float, Device::Cpu));
                        together.wait();
                        group.all_reduce(&mut sum, Operation::Sum, "a test").unwrap();
                        sum.double_value(&[0])
                    });
                    assert_eq!(sum, [1.0]);
                }
            });
        }
    });
}

#[test]
fn each_rank_gets_the_rows_that_the_others_send_it() {
    let found = ranks(3, |group| {
        let rank = group.rank() as i64;
        // Rank r sends d rows to rank d, each with the values (r, d).
        let rows: Vec<i64> = (0..3).flat_map(|to| [rank, to].repeat(to as usize)).collect();
        let rows = Tensor::from_slice(&rows).view([-1, 2]);
        let found = group.all_to_all(&rows, &[0, 1, 2], &[rank; 3], "a test").unwrap();
        assert!(group.all_to_all(&rows, &[0, 1, 1], &[rank; 3], "a test").unwrap_err().to_string().contains("counts"));
        Vec::<i64>::try_from(found.view(-1)).unwrap()
    });
    let wanted = |to: i64| -> Vec<i64> { (0..3).flat_map(|from| [from, to].repeat(to as usize)).collect() };
    assert_eq!(found, [wanted(0), wanted(1), wanted(2)]);
}

#[test]
fn rank_0_gets_the_bytes_of_all_and_everyone_the_largest_values() {
    let found = ranks(3, |group| {
        let rank = group.rank();
        let bytes = group.gather_bytes(&vec![rank as u8; 2 * (2 - rank)], "a test").unwrap();
        (bytes, group.largest([rank as f64, -(rank as f64), 0.5], "a test").unwrap())
    });
    let all = vec![vec![0u8; 4], vec![1, 1], vec![]];
    assert_eq!(found, [all, vec![], vec![]].map(|bytes| (bytes, [2.0, 0.0, 0.5])));
}

#[test]
fn ranks_that_differ_are_named() {
    let found = ranks(3, |group| group.agree("settings", if group.rank() == 2 { "b" } else { "a" }));
    for result in found {
        assert_eq!(result.unwrap_err().to_string(), "rank 2 has other settings than rank 0: b instead of a");
    }
}

#[test]
fn a_rank_that_never_comes_is_named() {
    let store = super::Store::local().unwrap();
    let address = super::Address { host: "127.0.0.1".into(), port: 1 };
    let member = super::Member { rank: 0, size: 2, local_rank: 0 };
    let within = Duration::from_millis(50);
    let error = Group::join(store, false, &address, member, within, TIMEOUT, &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "of 2 processes, one has not come within 0 s: rank 1");
}

#[test]
fn a_rank_that_fails_is_named_with_its_reason_by_all_others() {
    let found = ranks(3, |group| {
        if group.rank() == 1 {
            group.report_failure("the disk is full");
            return None;
        }
        let mut x = Tensor::zeros([4], (Kind::Float, Device::Cpu));
        let error = group.all_reduce(&mut x, Operation::Sum, "averaging gradients").unwrap_err().to_string();
        assert!(group.failed() && error.starts_with("averaging gradients: "), "{error}");
        assert!(!error.contains(".cc:"), "{error}");
        assert!(group.all_reduce(&mut x, Operation::Sum, "more").is_err());
        Some(group.verdict())
    });
    let said = Some("rank 1 failed: the disk is full".to_owned());
    assert_eq!(found, [said.clone(), None, said]);
}

#[test]
fn a_rank_that_disappears_is_named() {
    let found = ranks(3, |group| {
        if group.rank() == 2 {
            group.leave();
            return None;
        }
        let mut x = Tensor::zeros([4], (Kind::Float, Device::Cpu));
        group.all_reduce(&mut x, Operation::Sum, "averaging gradients").unwrap_err();
        Some(group.verdict())
    });
    let said = Some("rank 2 was lost: killed, frozen or cut off".to_owned());
    assert_eq!(found, [said.clone(), said, None]);
}

/// Two convolutions, one of them channels-last, and a matrix.
fn parameters() -> Vec<Tensor> {
    let scaled = |shape: &[i64], seed| normal(shape, seed) / (shape[1..].iter().product::<i64>() as f64).sqrt();
    let channels_last = scaled(&[8, 6, 3, 3], 2).permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
    let all = [scaled(&[6, 3, 3, 3], 1), channels_last, scaled(&[5, 8], 3)];
    all.into_iter().map(|t| t.detach().set_requires_grad(true)).collect()
}

fn loss(parameters: &[Tensor], images: &Tensor) -> Tensor {
    let x = images.conv2d(&parameters[0], None::<Tensor>, [1, 1], [1, 1], [1, 1], 1).relu();
    let x = x.conv2d(&parameters[1], None::<Tensor>, [1, 1], [1, 1], [1, 1], 1).relu();
    let x = x.mean_dim([2i64, 3].as_slice(), false, None::<Kind>).linear(&parameters[2], None::<Tensor>);
    (x.square()).mean(None::<Kind>)
}

#[test]
fn averaged_gradients_are_those_of_the_whole_batch() {
    let images = || normal(&[8, 3, 9, 9], 7);
    let whole = parameters();
    loss(&whole, &images()).backward();
    for (size, bytes) in [(2, 1 << 10), (4, 25 << 20)] {
        let found = ranks(size, |group| {
            let parameters = parameters();
            let mut reducer = Reducer::with_bucket_bytes(&group, &parameters, bytes).unwrap();
            let mut gradients = Vec::new();
            for _ in 0..2 {
                loss(&parameters, &slice(&images(), &group)).f_backward().unwrap();
                reducer.finish().unwrap();
                gradients = parameters.iter().map(|p| p.grad().copy()).collect();
                assert_eq!(parameters[1].grad().stride(), parameters[1].stride());
                let uncleared = loss(&parameters, &slice(&images(), &group)).f_backward();
                assert!(uncleared.unwrap_err().to_string().contains("not cleared"));
                let mut pointers = crate::ffi::pointers(&parameters);
                // SAFETY: live tensors, as many as told.
                unsafe { crate::ffi::mochi_clear_gradients(pointers.as_mut_ptr(), pointers.len()) };
            }
            (gradients, reducer.buckets())
        });
        for (gradients, buckets) in &found {
            assert_eq!(*buckets, if bytes < 25 << 20 { 3 } else { 1 });
            for ((gradient, first), whole) in gradients.iter().zip(&found[0].0).zip(&whole) {
                assert!(gradient.equal(first), "ranks have other bits");
                assert!(difference(gradient, &whole.grad()) < 1e-5);
            }
        }
    }
}

#[test]
fn a_parameter_without_a_gradient_is_an_error() {
    let found = ranks(2, |group| {
        let parameters = parameters();
        let mut reducer = Reducer::new(&group, &parameters).unwrap();
        (&parameters[0] * 2.0).sum(None::<Kind>).f_backward().unwrap();
        reducer.finish().unwrap_err().to_string()
    });
    assert!(found.iter().all(|error| error.contains("no gradient")), "{found:?}");
}

/// Output, gradients of input, residual, scale and shift, and running statistics of a norm.
fn normalize(x: &Tensor, residual: &Tensor, upstream: &Tensor, group: Option<&Arc<Group>>) -> Vec<Tensor> {
    let kind = x.kind();
    let mut store = ParameterStore::new();
    let mut norm = BatchNorm::new(&mut store, "bn", x.size()[1], Affine::ScaleAndShift, Device::Cpu).unwrap();
    for (name, tensor, role) in store.iter() {
        if role == Role::Parameter {
            let seed = if name.ends_with("bias") { 11 } else { 12 };
            no_grad(|| tensor.shallow_clone().copy_(&normal(&tensor.size(), seed)));
        }
    }
    if kind == Kind::Double {
        store.set_kind(kind);
    }
    if let Some(group) = group {
        norm.synchronize(group);
    }
    let (x, residual) = (x.detach().set_requires_grad(true), residual.detach().set_requires_grad(true));
    let y = norm.forward(x.shallow_clone(), NormMode::Train { groups: 1 }, true, Some(&residual)).unwrap();
    (&y * upstream).sum(None::<Kind>).backward();
    let mut all = vec![y.detach(), x.grad(), residual.grad()];
    all.extend(store.parameters().iter().map(Tensor::grad));
    all.extend(store.iter().filter(|(_, _, role)| *role == Role::Buffer).map(|(_, t, _)| t.copy()));
    all
}

/// The fused kernel (float32, channels-last) and libtorch's operations (float64) against a whole batch in one process.
#[test]
fn synchronized_batch_norm_is_that_of_the_whole_batch() {
    for (kind, tolerance) in [(Kind::Float, 2e-6), (Kind::Double, 1e-12)] {
        let batch = |seed, shift: f64| {
            let x = (normal(&[8, 5, 4, 3], seed) + shift).to_kind(kind);
            x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
        };
        // A mean well above the deviation: a difference of squares in float32 would lose digits.
        let inputs = || [batch(1, 30.0), batch(2, 0.0), batch(3, 0.0)];
        let [x, residual, upstream] = inputs();
        let wanted = normalize(&x, &residual, &upstream, None);
        for size in [2, 4] {
            let found = ranks(size, |group| {
                let [x, residual, upstream] = inputs().map(|t| slice(&t, &group));
                normalize(&x, &residual, &upstream, Some(&group))
            });
            for at in 0..wanted.len() {
                let parts: Vec<Tensor> = found.iter().map(|rank| rank[at].shallow_clone()).collect();
                // Rows are each rank's own, gradients of scale and shift are sums over ranks, statistics are everybody's.
                let whole = match at {
                    0..=2 => Tensor::cat(&parts, 0),
                    3..=4 => Tensor::stack(&parts, 0).sum_dim_intlist(0, false, None::<Kind>),
                    _ => {
                        assert!(parts.iter().all(|part| part.equal(&parts[0])));
                        parts[0].shallow_clone()
                    }
                };
                let off = difference(&whole, &wanted[at]);
                // Input gradients are small differences of large sums.
                let allowed = if at == 1 { tolerance * 20.0 } else { tolerance * 4.0 };
                assert!(off < allowed, "{kind:?}, {size} ranks, tensor {at}: {off:e}");
            }
        }
    }
}

#[test]
fn slices_of_a_batch_cannot_be_synchronized() {
    let found = ranks(2, |group| {
        let mut norm = BatchNorm::new(&mut ParameterStore::new(), "bn", 3, Affine::ScaleAndShift, Device::Cpu).unwrap();
        norm.synchronize(&group);
        let errors = [Kind::Float, Kind::Double].map(|kind| {
            let x = normal(&[4, 3], 1).to_kind(kind);
            norm.forward(x, NormMode::Train { groups: 2 }, false, None).unwrap_err().to_string()
        });
        errors.iter().all(|error| error.contains("synchronized"))
    });
    assert_eq!(found, [true, true]);
}

#[test]
fn a_rank_that_is_lost_while_the_ranks_connect_is_named() {
    let (_served, port) = Store::serve().unwrap();
    let address = Address { host: "127.0.0.1".into(), port };
    let within = Duration::from_secs(2);
    std::thread::scope(|scope| {
        for rank in 0..3 {
            let address = &address;
            scope.spawn(move || {
                let member = Member { rank, size: 3, local_rank: 0 };
                let store = connect_to(port, TIMEOUT).unwrap();
                if rank == 2 {
                    meet(&store, member, TIMEOUT, &|_| {}).unwrap();
                    return;
                }
                let error = Group::join(store, false, address, member, TIMEOUT, within, &|_| {}).unwrap_err();
                assert!(error.to_string().contains("connecting: rank 2 was lost"), "{error}");
            });
        }
    });
}

fn connect_to(port: u16, within: Duration) -> Result<Store, crate::TensorError> {
    Store::connect(&Address { host: "127.0.0.1".into(), port }, false, 2, "a test", within, within)
}

/// c10d waited without an end for a greeting, and for an answer.
#[test]
fn a_program_that_does_not_answer_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = connect_to(silent.local_addr().unwrap().port(), Duration::from_secs(1)).unwrap_err();
    assert!(error.to_string().contains("not the store of the ranks"), "{error}");
}

#[test]
fn a_store_that_stops_answering_is_not_waited_for() {
    let (_served, port) = Store::serve().unwrap();
    // Between the store and the test, and silent once it is told to.
    let between = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = between.local_addr().unwrap().port();
    let frozen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let passes = std::sync::Arc::clone(&frozen);
    std::thread::spawn(move || {
        let (near, _) = between.accept().unwrap();
        let far = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
            let passes = std::sync::Arc::clone(&passes);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = std::io::Read::read(&mut from, &mut bytes) {
                    while passes.load(std::sync::atomic::Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    std::io::Write::write_all(&mut to, &bytes[..n]).unwrap();
                }
            });
        }
    });
    let store = connect_to(at, Duration::from_secs(1)).unwrap();
    store.set("key", "value").unwrap();
    assert_eq!(store.get("key").unwrap().as_deref(), Some("value"));
    frozen.store(true, std::sync::atomic::Ordering::Relaxed);
    let begun = std::time::Instant::now();
    let error = store.get("key").unwrap_err();
    assert!(error.to_string().contains("does not answer") && begun.elapsed() < Duration::from_secs(5), "{error}");
    // A late answer would be taken for that of the next question.
    frozen.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(store.within("x").unwrap().get("key").unwrap_err().to_string().contains("does not answer"));
}

/// Field case: a rank waited for a frozen store without an end. Another thread had closed a file while it connected, so that its socket got the number of a file
/// that had been open before, and no time limit.
#[test]
fn a_store_has_its_time_limit_whatever_other_threads_open_and_close() {
    let churning = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = std::time::Instant::now();
            while churning.load(Ordering::Relaxed) && begun.elapsed() < TIMEOUT {
                drop(std::fs::File::open("/dev/null").unwrap());
            }
        });
        let (_served, port) = Store::serve().unwrap();
        let limit = Duration::from_millis(1200);
        let address = Address { host: "127.0.0.1".into(), port };
        let connect = || Store::connect(&address, false, 2, "a test", TIMEOUT, limit);
        let stores: Result<Vec<_>, _> = (0..20).map(|_| connect()).collect();
        churning.store(false, Ordering::Relaxed);
        let stores = stores.unwrap();
        let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
        let limits = numbers.filter_map(|entry| {
            let fd = entry.unwrap().file_name().to_str()?.parse().ok()?;
            // SAFETY: never dropped, so that the descriptor stays with its owner; one that is closed or no socket has no peer.
            let socket = std::mem::ManuallyDrop::new(unsafe { std::net::TcpStream::from_raw_fd(fd) });
            (socket.peer_addr().ok()?.port() == port).then(|| socket.read_timeout().unwrap())
        });
        let limits: Vec<_> = limits.collect();
        // The process that serves has a connection too, with a limit of its own.
        let right = limits.iter().filter(|found| **found == Some(limit)).count();
        assert!(right == stores.len() && !limits.contains(&None), "{limits:?}");
    });
}

/// torchrun keeps its store when it starts the processes of a job again.
#[test]
fn keys_of_an_earlier_start_are_not_taken_for_those_of_this_one() {
    let (_served, port) = Store::serve().unwrap();
    let address = Address { host: "127.0.0.1".into(), port };
    for _ in 0..2 {
        let join = |rank| {
            let member = Member { rank, size: 2, local_rank: 0 };
            let group = Group::join(connect_to(port, TIMEOUT)?, false, &address, member, TIMEOUT, TIMEOUT, &|_| {})?;
            group.share_text(&format!("of {rank}"))
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| join(0));
            // Rank 0 finds the greeting of the start before.
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(join(1).unwrap(), ["of 0", "of 1"]);
            assert_eq!(first.join().unwrap().unwrap(), ["of 0", "of 1"]);
        });
    }
}

#[test]
fn other_numbers_of_processes_and_equal_ranks_are_named() {
    let told = |size: usize, others: [(usize, usize); 2]| {
        let store = Store::local().unwrap();
        std::thread::scope(|scope| {
            let all = [(0, size), others[0], others[1]].map(|(rank, size)| {
                let store = store.within("x").unwrap();
                let member = Member { rank, size, local_rank: 0 };
                scope.spawn(move || meet(&store, member, Duration::from_secs(2), &|_| {}).unwrap_err().to_string())
            });
            all.map(|one| one.join().unwrap())
        })
    };
    let said = told(2, [(1, 3), (2, 3)]);
    assert!(said[..2].iter().all(|text| text == "rank 1 was started with WORLD_SIZE 3, rank 0 with 2"), "{said:?}");
    let said = told(3, [(1, 3), (1, 3)]);
    assert!(said.iter().any(|text| text == "two processes were started as rank 1"), "{said:?}");
}
