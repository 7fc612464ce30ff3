//! Starting the engine: threads, the CUDA half of libtorch, and the version that was really loaded.

use crate::ffi;
use crate::{Device, TensorError, extent};
use std::ffi::{CStr, CString, c_int};
use std::path::{Path, PathBuf};

/// The libtorch that this program is written and built against.
pub const LIBTORCH_VERSION: &str = include_str!("../libtorch-version").trim_ascii_end();

/// What the engine found at start.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Version that lies next to the loaded library, e.g. `2.11.0+cu130`.
    pub version: String,
    /// Folder of the installation (the one that holds `lib/`).
    pub folder: PathBuf,
    /// Number of CUDA devices that can be used; 0 without CUDA.
    pub cuda_devices: usize,
    /// Why there is no CUDA, when there is none.
    pub no_cuda: Option<String>,
    /// Whether this CPU computes bfloat16 natively (AVX-512 BF16): elsewhere float32 is the faster choice.
    pub fast_bf16: bool,
    /// Threads that one operation may use.
    pub threads: usize,
}

/// Starts the engine once: sets the thread count (`None`: one per core), checks libtorch's version and loads its CUDA half when
/// it is installed. Products of float32 tensors are IEEE float32 from here on, on CUDA too. Call it before any tensor is made.
///
/// # Errors
/// [`TensorError::Version`] where another libtorch was loaded.
pub fn start(threads: Option<usize>) -> Result<Engine, TensorError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or(cores).max(1);
    set_threads(threads);
    let folder = libtorch_folder();
    let version = installed_version(&folder).unwrap_or_else(|| LIBTORCH_VERSION.to_owned());
    if version.split('+').next() != Some(LIBTORCH_VERSION) {
        return Err(TensorError::Version { found: version, expected: LIBTORCH_VERSION, folder });
    }
    crate::compute::set_tf32(false)?;
    crate::wait::follow_load();
    let no_cuda = load_cuda(&folder).err();
    // SAFETY: no arguments, reads CPUID.
    let fast_bf16 = unsafe { ffi::mochi_cpu_has_bf16() } == 1;
    let cuda_devices = if cuda_available() { extent(tch::Cuda::device_count()) } else { 0 };
    let no_cuda = match (cuda_devices, no_cuda) {
        (0, None) => Some("no usable NVIDIA device or driver was found".to_owned()),
        (_, reason) => reason,
    };
    Ok(Engine { version, folder, cuda_devices, no_cuda, fast_bf16, threads })
}

/// Sets how many threads one operation may use, from here on.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads.max(1)).unwrap_or(i32::MAX));
}

/// How many threads one operation may use.
pub fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Whether CUDA can be used, after [`start`].
pub fn cuda_available() -> bool {
    tch::Cuda::is_available()
}

/// The folder of the libtorch that was loaded.
pub fn libtorch_folder() -> PathBuf {
    // SAFETY: the shim returns a NUL-terminated path owned by the dynamic loader, or an empty literal.
    let path = unsafe { CStr::from_ptr(ffi::mochi_libtorch_path()) }.to_string_lossy().into_owned();
    Path::new(&path).parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default()
}

fn installed_version(folder: &Path) -> Option<String> {
    if let Ok(text) = std::fs::read_to_string(folder.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(folder.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split('\'').nth(1).map(str::to_owned)
}

/// rustc links with `--as-needed`, so the binary itself needs no CUDA library: one binary serves both. The CUDA half registers
/// itself when it is loaded; without it CUDA is simply absent.
fn load_cuda(folder: &Path) -> Result<(), String> {
    let library = folder.join("lib/libtorch_cuda.so");
    if !library.exists() {
        return Err("this libtorch was built without it".to_owned());
    }
    if !Path::new("/dev/nvidiactl").exists() && !Path::new("/dev/dxg").exists() {
        // Loading a gigabyte to learn that there is no device would cost every CPU run a second.
        return Err("no NVIDIA device was found".to_owned());
    }
    let path = CString::new(library.to_string_lossy().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: the path is NUL-terminated; the library is libtorch's own, whose initializers are meant to run at any time.
    ffi::check(unsafe { ffi::mochi_load_library(path.as_ptr()) })
        .map_err(|e| format!("its libraries could not be loaded ({e})"))
}

impl Engine {
    /// The device that `name` ("auto", "cpu", "cuda", "cuda:1") selects.
    ///
    /// # Errors
    /// [`TensorError::UnknownDevice`] for another name, [`TensorError::NoCuda`] where CUDA is asked for by name and cannot be used.
    pub fn device(&self, name: &str) -> Result<Device, TensorError> {
        let index = match name {
            "cpu" => return Ok(Device::Cpu),
            "auto" if self.cuda_devices == 0 => return Ok(Device::Cpu),
            "auto" | "cuda" => 0,
            other => {
                let digits = other.strip_prefix("cuda:").filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
                let index = digits.and_then(|n| n.parse().ok());
                index.ok_or_else(|| TensorError::UnknownDevice(other.to_owned()))?
            }
        };
        if index < self.cuda_devices {
            return Ok(Device::Cuda(index));
        }
        let absent = || format!("there is no device {index}: this machine has {} (0 is the first)", self.cuda_devices);
        Err(TensorError::NoCuda(self.no_cuda.clone().unwrap_or_else(absent)))
    }

    /// Total memory of a CUDA device in bytes; `None` where CUDA does not tell. Creates a CUDA context on the device.
    pub fn cuda_memory(&self, index: usize) -> Option<u64> {
        cuda_memory(device_index(index)).ok().map(|(_, total)| total)
    }

    /// Most bytes that tensors on a CUDA device have taken at one time, as `torch.cuda.max_memory_allocated` tells; `None` where CUDA does not
    /// tell.
    pub fn cuda_peak_memory(&self, index: usize) -> Option<u64> {
        let mut peak = 0;
        // SAFETY: a valid place for a number.
        ffi::check(unsafe { ffi::mochi_cuda_peak_memory(device_index(index), &mut peak) }).ok().map(|()| peak)
    }

    /// Whether a CUDA device computes bfloat16 faster than float32: compute capability 8.0 (Ampere) or newer.
    pub fn fast_bf16_on_cuda(&self, index: usize) -> bool {
        cuda_capability(device_index(index)).is_ok_and(|(major, _)| major >= 8)
    }
}

/// An index for CUDA, which refuses one that no device has.
fn device_index(index: usize) -> c_int {
    c_int::try_from(index).unwrap_or(c_int::MAX)
}

/// Free and total bytes of a CUDA device.
fn cuda_memory(index: c_int) -> Result<(u64, u64), TensorError> {
    let (mut free, mut total) = (0, 0);
    // SAFETY: valid places for two numbers.
    ffi::check(unsafe { ffi::mochi_cuda_memory(index, &mut free, &mut total) })?;
    Ok((free, total))
}

/// Compute capability of a CUDA device, e.g. (8, 0) for an A100.
fn cuda_capability(index: c_int) -> Result<(c_int, c_int), TensorError> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: valid places for two numbers.
    ffi::check(unsafe { ffi::mochi_cuda_capability(index, &mut major, &mut minor) })?;
    Ok((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_version_is_loaded_and_cuda_by_name_is_refused_without_a_device() {
        let _alone = crate::compute::alone();
        let engine = start(Some(1)).unwrap();
        assert!(engine.version.starts_with(LIBTORCH_VERSION));
        assert!(engine.device("auto").is_ok());
        if engine.cuda_devices == 0 {
            assert!(matches!(engine.device("cuda"), Err(TensorError::NoCuda(_))));
        }
    }

    /// House review, defect 9, and the message that told a user with a typing error to install CUDA.
    #[test]
    fn h6_9_names_of_devices_are_told_from_absent_devices() {
        let _alone = crate::compute::alone();
        let engine = Engine { cuda_devices: 2, no_cuda: None, ..start(Some(1)).unwrap() };
        assert_eq!(engine.device("cuda:1").unwrap(), Device::Cuda(1));
        assert_eq!(engine.device("auto").unwrap(), Device::Cuda(0));
        let error = engine.device("cuda:2").unwrap_err();
        assert!(matches!(error, TensorError::NoCuda(_)) && error.to_string().contains("no device 2"), "{error}");
        for name in ["gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "CPU", ""] {
            let error = engine.device(name).unwrap_err();
            assert!(matches!(&error, TensorError::UnknownDevice(given) if given == name), "{name}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("compute.device")));
        }
    }

    #[test]
    fn facts_of_a_cuda_device_are_unknown_without_cuda() {
        let _alone = crate::compute::alone();
        let engine = start(Some(1)).unwrap();
        if engine.cuda_devices == 0 {
            assert_eq!((engine.cuda_memory(0), engine.fast_bf16_on_cuda(0)), (None, false));
            assert!(cuda_memory(0).is_err() && cuda_capability(0).is_err());
            assert_eq!(engine.cuda_peak_memory(0), None);
        } else {
            assert!(engine.cuda_memory(0).is_some_and(|bytes| bytes > 1 << 30));
            let held = crate::Tensor::zeros([1 << 20], (crate::Kind::Float, Device::Cuda(0)));
            assert!(engine.cuda_peak_memory(0).is_some_and(|bytes| bytes >= 4 << 20), "{held:?}");
        }
    }
}
