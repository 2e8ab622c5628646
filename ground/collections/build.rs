//! Builds mimalloc from the source that `libmimalloc-sys` carries, with size classes of our own. That crate's own build rounds
//! blocks of 17 to 64 bytes up to 16, takes no definitions but those of the CFLAGS of whoever builds, and has four classes a
//! doubling, which wastes 10 % of a block on average. Its library is not linked.
//!
//! Classes here: steps of 8 bytes up to 128, then 16 steps a doubling up to 1 KiB, 8 up to 32 KiB, and 4 above. More steps for
//! larger blocks would cost more than they save: every class that a thread uses holds a page of at least 64 KiB.
//! `allocator::block_bytes` says the same in Rust, and a test compares the two.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let include =
        PathBuf::from(env::var_os("DEP_MIMALLOC_INCLUDE_DIR").expect("libmimalloc-sys tells where its headers are"));
    let own = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to build")).join("mimalloc");
    copy(&include, &own.join("include"));
    copy(&include.with_file_name("src"), &own.join("src"));
    own_size_classes(&own);

    let mut build = cc::Build::new();
    build.include(own.join("include")).include(own.join("src")).file(own.join("src/static.c"));
    build.define("MI_MAX_ALIGN_SIZE", "8");
    // Huge pages make random reads 3 % cheaper, but what grows pays for clearing 2 MiB at once (a push to a list costs 12 % less
    // without), and small data takes 3 % more memory.
    build.define("MI_DEFAULT_ALLOW_THP", "0");
    // Optimised even in debug builds, and with its assertions off: this is a library, not what is being worked on.
    build.opt_level(3).define("NDEBUG", None).define("MI_BUILD_RELEASE", None).define("MI_DEBUG", "0");
    build.flag_if_supported("-ftls-model=initial-exec").flag("-Wno-error=date-time").warnings(false);
    build.compile("ochre_mimalloc");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the build folder can be written");
    for entry in fs::read_dir(from).expect("the source is there") {
        let from = entry.expect("the source can be read").path();
        let to = to.join(from.file_name().expect("an entry has a name"));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::write(&to, fs::read(&from).expect("the source can be read")).expect("the build folder can be written");
        }
    }
}

/// The largest block with a class, in words of 8 bytes.
const WORDS_MAX: usize = 64 * 1024;

/// Words of the blocks of each class: the same steps as in the C function below.
fn class_words() -> Vec<usize> {
    let mut words: Vec<usize> = (1..=16).collect();
    let mut last = 16;
    while last < WORDS_MAX {
        let steps = match last.ilog2() {
            ..7 => 16,
            7..12 => 8,
            _ => 4,
        };
        last += (1 << last.ilog2()) / steps;
        words.push(last);
    }
    words
}

/// Puts our size classes in the place of those in the copied source. The version is pinned; should another one come, what is to be
/// replaced is missing, and the build ends.
fn own_size_classes(root: &Path) {
    let words = class_words();
    let huge = words.len() + 1;
    replace(&root.join("include/mimalloc-stats.h"), "(73U)", &format!("({huge}U)"));
    replace(&root.join("include/mimalloc/types.h"), "MI_BIN_HUGE != 73U", &format!("MI_BIN_HUGE != {huge}U"));

    // What a thread keeps of each class makes its record larger than 8 KiB, which is the most that blocks of 128 bytes allow.
    replace(&root.join("src/arena-meta.c"), "(1 << (16 - MI_BCHUNK_BITS_SHIFT))", "(2 << (16 - MI_BCHUNK_BITS_SHIFT))");

    let queues = root.join("src/init.c");
    let text = fs::read_to_string(&queues).expect("the copy can be read");
    let start = text.find("#define MI_PAGE_QUEUES_EMPTY").expect("the table of classes");
    let end = start + text[start..].find("#define MI_STAT_COUNT_NULL").expect("what follows the table");
    let classes: String = words.iter().map(|words| format!("QNULL({words}), ")).collect();
    let table = format!(
        "#define MI_PAGE_QUEUES_EMPTY {{ QNULL(1), {classes} \
         QNULL(MI_LARGE_MAX_OBJ_WSIZE + 1), QNULL(MI_LARGE_MAX_OBJ_WSIZE + 2) }}\n\n"
    );
    replace(&queues, &text[start..end], &table);

    let bins = root.join("src/page-queue.c");
    replace(
        &bins,
        "if mi_likely(wsize <= 8) {\n    return (wsize == 0 ? 1 : wsize);",
        "if mi_likely(wsize <= 16) {\n    return (wsize == 0 ? 1 : wsize);",
    );
    replace(
        &bins,
        "const size_t bin = ((b << 2) + ((wsize >> (b - 2)) & 0x03)) - 3;",
        "const size_t bin = (b < 7  ? 17 + ((b - 4) << 4)  + ((wsize >> (b - 4)) & 15)\n\
         \x20                  : b < 12 ? 65 + ((b - 7) << 3)  + ((wsize >> (b - 3)) & 7)\n\
         \x20                           : 105 + ((b - 12) << 2) + ((wsize >> (b - 2)) & 3));",
    );
    // Blocks begin at a multiple of their size behind the start of a page, so those of whole cache lines are aligned to them. Where
    // that fails mimalloc notices and takes another way.
    replace(
        &root.join("src/alloc-aligned.c"),
        "_mi_is_power_of_two(bsize)) ||",
        "_mi_is_power_of_two(bsize)) || (alignment == 64 && bsize % 64 == 0) ||",
    );
}

fn replace(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).expect("the copy can be read");
    assert_eq!(text.matches(old).count(), 1, "{}: not the version that this was written for: {old}", file.display());
    fs::write(file, text.replacen(old, new, 1)).expect("the copy can be written");
}
