//! Compiles the shim against the libtorch that `LIBTORCH` names, after checking that it is the pinned version:
//! torch-sys skips its own check whenever `LIBTORCH` is set.

use std::path::{Path, PathBuf};

/// tch 0.24 is written against exactly this libtorch.
const PINNED: &str = include_str!("libtorch-version").trim_ascii_end();

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=libtorch-version");
    let root = match std::env::var_os("LIBTORCH") {
        Some(value) => PathBuf::from(value),
        None => {
            fail("LIBTORCH is not set", "run `cargo xtask setup` in the repository, or point LIBTORCH at a libtorch")
        }
    };
    match version(&root) {
        Some(found) if found == PINNED => {}
        Some(found) => fail(
            &format!("{} holds libtorch {found}, but Mochi is built against {PINNED}", root.display()),
            "unset LIBTORCH and run `cargo xtask setup`",
        ),
        None => fail(&format!("no libtorch was found in {}", root.display()), "run `cargo xtask setup`"),
    }
    let include = root.join("include");
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .file("shim/all.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .flag("-fopenmp")
        .flag_if_supported("-Wno-unused-parameter")
        .warnings(false)
        .opt_level(3)
        .debug(false)
        .define("_GLIBCXX_USE_CXX11_ABI", "1");
    build.compile("mochi_shim");

    let lib = root.join("lib");
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-lib=dylib=torch_cpu");
    println!("cargo:rustc-link-lib=dylib=c10");
    println!("cargo:rustc-link-lib=dylib=gomp");
    // Our own tests find the libraries by rpath; dependants read the folder and do the same (DEP_MOCHI_TENSOR_LIB).
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:lib={}", lib.display());
    println!("cargo:rustc-env=MOCHI_LIBTORCH_LIB={}", lib.display());
}

/// `2.11.0` out of `build-version` (the zip), `version.py` (the wheel) or the header's macros.
fn version(root: &Path) -> Option<String> {
    let plain = |text: String| text.split('+').next().map(|v| v.trim().to_owned());
    if let Ok(text) = std::fs::read_to_string(root.join("build-version")) {
        return plain(text);
    }
    let text = std::fs::read_to_string(root.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    plain(line.split('\'').nth(1)?.to_owned())
}

fn fail(what: &str, hint: &str) -> ! {
    println!("cargo:warning={what}");
    println!("cargo:warning=hint: {hint}");
    std::process::exit(1)
}
