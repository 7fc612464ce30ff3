//! The shim's C interface (`shim/*.cpp`). Every call goes through [`check`], which turns a status into an error.

use crate::{Tensor, TensorError};
use std::ffi::{CStr, c_char, c_int};

/// at::Tensor, opaque; tch's `C_tensor` is the same thing, but torch-sys does not belong to our dependencies.
#[repr(C)]
pub(crate) struct RawTensor([u8; 0]);

/// The shim's store, process group and reducer, opaque.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RawStore([u8; 0]);
/// See [`RawStore`].
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RawGroup([u8; 0]);
/// See [`RawStore`].
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RawReducer([u8; 0]);

unsafe extern "C" {
    pub(crate) fn mochi_store_serve(port: *mut c_int, out: *mut *mut RawStore) -> c_int;
    pub(crate) fn mochi_store_connect(
        host: *const c_char,
        port: c_int,
        serve: c_int,
        size: c_int,
        prefix: *const c_char,
        within_ms: i64,
        answer_ms: i64,
        out: *mut *mut RawStore,
    ) -> c_int;
    pub(crate) fn mochi_store_local(out: *mut *mut RawStore) -> c_int;
    pub(crate) fn mochi_store_within(store: *mut RawStore, prefix: *const c_char, out: *mut *mut RawStore) -> c_int;
    pub(crate) fn mochi_store_close(store: *mut RawStore);
    pub(crate) fn mochi_store_set(store: *mut RawStore, key: *const c_char, value: *const u8, n: usize) -> c_int;
    pub(crate) fn mochi_store_has(store: *mut RawStore, key: *const c_char, out: *mut c_int) -> c_int;
    pub(crate) fn mochi_store_get(
        store: *mut RawStore,
        key: *const c_char,
        context: *mut std::ffi::c_void,
        take: extern "C" fn(*mut std::ffi::c_void, *const u8, usize),
    ) -> c_int;
    pub(crate) fn mochi_group_open(
        store: *mut RawStore,
        gpus: c_int,
        host: *const c_char,
        port: c_int,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        out: *mut *mut RawGroup,
    ) -> c_int;
    pub(crate) fn mochi_group_leave(group: *mut RawGroup);
    pub(crate) fn mochi_group_close(group: *mut RawGroup);
    pub(crate) fn mochi_group_failed(group: *mut RawGroup) -> c_int;
    pub(crate) fn mochi_all_reduce(group: *mut RawGroup, x: *mut RawTensor, op: c_int, what: *const c_char) -> c_int;
    pub(crate) fn mochi_broadcast(group: *mut RawGroup, x: *mut RawTensor, root: c_int, what: *const c_char) -> c_int;
    pub(crate) fn mochi_all_gather(
        group: *mut RawGroup,
        output: *mut RawTensor,
        input: *mut RawTensor,
        what: *const c_char,
    ) -> c_int;
    pub(crate) fn mochi_all_to_all(
        group: *mut RawGroup,
        output: *mut RawTensor,
        input: *mut RawTensor,
        received: *const i64,
        sent: *const i64,
        what: *const c_char,
    ) -> c_int;
    pub(crate) fn mochi_all_reduce_sum(group: *mut RawGroup, x: *mut RawTensor, out: *mut *mut RawTensor) -> c_int;
    #[cfg(test)]
    pub(crate) fn mochi_nccl_options_extent(
        construct: Option<unsafe extern "C" fn(*mut std::ffi::c_void, bool)>,
        written: *mut usize,
        reserved: *mut usize,
    ) -> c_int;
    pub(crate) fn mochi_reducer_new(
        group: *mut RawGroup,
        parameters: *const *mut RawTensor,
        n: usize,
        bucket_bytes: i64,
        out: *mut *mut RawReducer,
    ) -> c_int;
    pub(crate) fn mochi_reducer_finish(reducer: *mut RawReducer) -> c_int;
    pub(crate) fn mochi_reducer_buckets(reducer: *const RawReducer) -> usize;
    pub(crate) fn mochi_reducer_free(reducer: *mut RawReducer);
    pub(crate) fn mochi_last_error() -> *const c_char;
    pub(crate) fn mochi_libtorch_path() -> *const c_char;
    pub(crate) fn mochi_load_library(path: *const c_char) -> c_int;
    pub(crate) fn mochi_to_channels_last(x: *mut RawTensor, out: *mut *mut RawTensor) -> c_int;
    pub(crate) fn mochi_upload(x: *mut RawTensor, index: c_int, out: *mut *mut RawTensor) -> c_int;
    pub(crate) fn mochi_calls_begin(names: *const *const c_char, n: usize) -> c_int;
    pub(crate) fn mochi_calls_end(out: *mut u64) -> c_int;
    pub(crate) fn mochi_start_sleeping_team() -> c_int;
    pub(crate) fn mochi_set_tf32(on: c_int) -> c_int;
    #[cfg(test)]
    pub(crate) fn mochi_uses_tf32(product: c_int, out: *mut c_int) -> c_int;
    pub(crate) fn mochi_cuda_memory(index: c_int, free: *mut u64, total: *mut u64) -> c_int;
    pub(crate) fn mochi_cuda_peak_memory(index: c_int, peak: *mut u64) -> c_int;
    pub(crate) fn mochi_cuda_capability(index: c_int, major: *mut c_int, minor: *mut c_int) -> c_int;
    pub(crate) fn mochi_is_sole_owner(x: *mut RawTensor, out: *mut c_int) -> c_int;
    pub(crate) fn mochi_is_channels_last(x: *mut RawTensor, out: *mut c_int) -> c_int;
    pub(crate) fn mochi_momentum_update(
        keys: *mut *mut RawTensor,
        queries: *mut *mut RawTensor,
        n: usize,
        momentum: f64,
    ) -> c_int;
    pub(crate) fn mochi_fused_sgd(
        params: *mut *mut RawTensor,
        grads: *mut *mut RawTensor,
        buffers: *mut *mut RawTensor,
        n: usize,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
    ) -> c_int;
    pub(crate) fn mochi_fused_adamw(
        params: *mut *mut RawTensor,
        grads: *mut *mut RawTensor,
        means: *mut *mut RawTensor,
        squares: *mut *mut RawTensor,
        n: usize,
        step: i64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
    ) -> c_int;
    pub(crate) fn mochi_clear_gradients(params: *mut *mut RawTensor, n: usize) -> c_int;
    pub(crate) fn mochi_clip_gradients(
        grads: *mut *mut RawTensor,
        n: usize,
        max_norm: f64,
        out: *mut *mut RawTensor,
    ) -> c_int;
    pub(crate) fn mochi_lars_scale(
        params: *mut *mut RawTensor,
        grads: *mut *mut RawTensor,
        n: usize,
        weight_decay: f64,
        trust: f64,
    ) -> c_int;
    pub(crate) fn mochi_parallel_for(
        n: i64,
        grain: i64,
        context: *mut std::ffi::c_void,
        body: extern "C" fn(*mut std::ffi::c_void, i64, i64),
    ) -> c_int;
    pub(crate) fn mochi_generator_state(out: *mut *mut RawTensor) -> c_int;
    pub(crate) fn mochi_set_generator_state(state: *mut RawTensor) -> c_int;
    pub(crate) fn mochi_cpu_has_bf16() -> c_int;
    pub(crate) fn mochi_pointwise_fits(outs: i64, ins: i64) -> c_int;
    pub(crate) fn mochi_pointwise(
        x: *mut RawTensor,
        weight: *mut RawTensor,
        stride: i64,
        out: *mut *mut RawTensor,
    ) -> c_int;
    pub(crate) fn mochi_small_map_fits(pixels: i64) -> c_int;
    pub(crate) fn mochi_small_map(
        x: *mut RawTensor,
        weight: *mut RawTensor,
        stride: i64,
        padding: i64,
        out: *mut *mut RawTensor,
    ) -> c_int;
    pub(crate) fn mochi_norm_act(
        x: *mut RawTensor,
        weight: *mut RawTensor,
        bias: *mut RawTensor,
        running_mean: *mut RawTensor,
        running_var: *mut RawTensor,
        momentum: f64,
        eps: f64,
        groups: i64,
        relu: c_int,
        residual: *mut RawTensor,
        group: *mut RawGroup,
        out: *mut *mut RawTensor,
    ) -> c_int;
    pub(crate) fn mochi_scale_shift_act(
        x: *mut RawTensor,
        scale: *mut RawTensor,
        shift: *mut RawTensor,
        relu: c_int,
        residual: *mut RawTensor,
        out: *mut *mut RawTensor,
    ) -> c_int;
}

/// The shim's status as a result.
pub(crate) fn check(status: c_int) -> Result<(), TensorError> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the shim returns a NUL-terminated string that lives until this thread's next shim call.
    let text = unsafe { CStr::from_ptr(mochi_last_error()) };
    Err(TensorError::Torch(text.to_string_lossy().lines().next().unwrap_or("unknown error").to_owned()))
}

/// Runs a shim function that hands out one new tensor.
pub(crate) fn new_tensor(call: impl FnOnce(*mut *mut RawTensor) -> c_int) -> Result<Tensor, TensorError> {
    let mut out = std::ptr::null_mut();
    check(call(&mut out))?;
    // SAFETY: on success the shim has written a pointer from `new at::Tensor`, which tch now owns and will delete.
    Ok(unsafe { Tensor::from_ptr(out.cast()) })
}

/// Pointers to a list of tensors, for the shim's foreach functions. The tensors must outlive the call.
pub(crate) fn pointers<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Vec<*mut RawTensor> {
    tensors.into_iter().map(raw).collect()
}

/// One tensor's pointer for the shim.
pub(crate) fn raw(tensor: &Tensor) -> *mut RawTensor {
    tensor.as_ptr().cast_mut().cast()
}
