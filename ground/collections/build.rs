//! Builds mimalloc from the source that `libmimalloc-sys` carries, in steps of 8 bytes: that crate's own build rounds blocks
//! of 17 to 64 bytes up to 16, and takes no definitions but those of the CFLAGS of whoever builds. Its library is not linked.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let include =
        PathBuf::from(env::var_os("DEP_MIMALLOC_INCLUDE_DIR").expect("libmimalloc-sys tells where its headers are"));
    let source = include.with_file_name("src");
    let mut build = cc::Build::new();
    build.include(&include).include(&source).file(source.join("static.c"));
    build.define("MI_MAX_ALIGN_SIZE", "8");
    // Optimised even in debug builds, and with its assertions off: this is a library, not what is being worked on.
    build.opt_level(3).define("NDEBUG", None).define("MI_BUILD_RELEASE", None).define("MI_DEBUG", "0");
    build.flag_if_supported("-ftls-model=initial-exec").flag("-Wno-error=date-time").warnings(false);
    build.compile("ochre_mimalloc");
}
