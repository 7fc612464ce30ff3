//! NCCL with one rank, where there is an NVIDIA device. Elsewhere the error, and the size of NCCL's options wherever the CUDA half of libtorch is loaded.
//! `cargo xtask gpu-check` runs these tests.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use super::{Address, Group, Member, Operation, Reducer, Store};
use crate::{Device, Kind, Tensor, TensorError, ffi};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A group of this process alone, with NCCL for tensors of GPUs.
fn join_alone() -> Result<Group, TensorError> {
    let address = Address { host: "127.0.0.1".to_owned(), port: 1 };
    let member = Member { rank: 0, size: 1, local_rank: 0 };
    Group::join(Store::local()?, true, &address, member, TIMEOUT, TIMEOUT, &|_| {})
}

/// Bytes that a constructor of NCCL's options writes (`None`: libtorch's), and bytes that are reserved for them.
fn extent(construct: Option<unsafe extern "C" fn(*mut c_void, bool)>) -> Result<(usize, usize), TensorError> {
    let (mut written, mut reserved) = (0, 0);
    // SAFETY: valid places for two numbers; the constructors below stay within the shim's memory, and libtorch's is called as it declares.
    ffi::check(unsafe { ffi::mochi_nccl_options_extent(construct, &mut written, &mut reserved) })?;
    Ok((written, reserved))
}

/// Writes the first `N` bytes, all ones in the last.
unsafe extern "C" fn write<const N: usize>(memory: *mut c_void, _: bool) {
    let bytes: *mut u8 = memory.cast();
    // SAFETY: the shim hands over more than `N` bytes.
    unsafe {
        bytes.write_bytes(0, N);
        bytes.add(N - 1).write(0xff);
    }
}

#[test]
fn nccl_of_one_rank() {
    let _alone = crate::compute::alone();
    let engine = crate::start(None).unwrap();
    if engine.cuda_devices == 0 {
        let wanted = if extent(None).is_ok() {
            "ProcessGroupNCCL is only supported with GPUs, no GPUs found!"
        } else {
            "libtorch_cuda.so is not loaded, or has no NCCL (_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb)"
        };
        let error = join_alone().unwrap_err();
        assert!(matches!(&error, TensorError::Collective(text) if text.contains(wanted)), "{error}");
        println!("skipped: NCCL: {}", engine.no_cuda.unwrap_or_default());
        return;
    }
    let group = Arc::new(join_alone().unwrap());
    let device = Device::Cuda(0);
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16, Kind::Int64] {
        let values = || Tensor::arange(6, (kind, device)).view([3, 2]);
        for operation in [Operation::Sum, Operation::Max] {
            let mut reduced = values();
            group.all_reduce(&mut reduced, operation, "a test").unwrap();
            assert!(reduced.equal(&values()), "{kind:?} {operation:?}");
        }
        let mut told = values();
        group.broadcast(&mut told, 0, "a test").unwrap();
        let gathered = group.all_gather(&values(), "a test").unwrap();
        assert!(told.equal(&values()) && gathered.equal(&values()) && gathered.device() == device, "{kind:?}");
    }
    // The sum of synchronized batch norms, and the buckets of the backward pass.
    let x = Tensor::ones([4], (Kind::Float, device)).set_requires_grad(true);
    let mut reducer = Reducer::new(&group, &[x.shallow_clone()]).unwrap();
    (group.all_reduce_sum(&x).unwrap() * 3.0).sum(None::<Kind>).f_backward().unwrap();
    reducer.finish().unwrap();
    assert_eq!(Vec::<f32>::try_from(x.grad().to_device(Device::Cpu)).unwrap(), [3.0; 4]);
    let mut on_host = Tensor::ones([2], (Kind::Float, Device::Cpu));
    group.all_reduce(&mut on_host, Operation::Sum, "a test").unwrap();
    assert!(!group.failed());
    println!("checked: NCCL with one rank: all-reduce, broadcast, all-gather, bucketed gradients");
}

/// The reserved bytes are freed by their number, and nothing lies behind them.
#[test]
fn nccl_options_are_written_within_their_bounds() {
    let (written, reserved) = extent(Some(write::<244>)).unwrap();
    assert_eq!(written, 244);
    assert!(written <= reserved);
    // A constructor that writes one byte too many is noticed.
    assert_eq!(extent(Some(write::<249>)).unwrap(), (249, 248));

    let _alone = crate::compute::alone();
    let engine = crate::start(None).unwrap();
    match extent(None) {
        Ok((written, reserved)) => {
            assert!(written <= reserved, "{written} bytes are written and {reserved} are reserved");
            // The object is no smaller than its last member, aligned as a pointer is.
            assert_eq!(written.next_multiple_of(8), reserved);
            println!("checked: NCCL's options: {written} of {reserved} bytes are written");
        }
        Err(error) => {
            assert!(
                engine.cuda_devices == 0 && error.to_string().contains("libtorch_cuda.so is not loaded"),
                "{error}"
            );
            println!("skipped: the size of NCCL's options: the CUDA half of libtorch is not loaded");
        }
    }
}
