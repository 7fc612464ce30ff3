//! Build script of every crate whose test binaries or programs load libtorch: they find it by rpath, where it was at build time.
fn main() {
    println!("cargo:rerun-if-changed=../mochi-tensor/rpath.rs");
    if let Ok(lib) = std::env::var("DEP_MOCHI_TENSOR_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
