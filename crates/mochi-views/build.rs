//! Notes whether libjpeg-turbo's build will have found an assembler: on x86 its SIMD needs NASM (or Yasm), elsewhere none.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ASM_NASM");
    let x86 = matches!(env::var("CARGO_CFG_TARGET_ARCH").as_deref(), Ok("x86" | "x86_64"));
    let named = env::var_os("ASM_NASM").is_some_and(|path| Path::new(&path).exists());
    let on_path = env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|dir| dir.join("nasm").exists() || dir.join("yasm").exists()));
    println!("cargo::rustc-env=MOCHI_JPEG_SIMD={}", u8::from(!x86 || named || on_path));
}
