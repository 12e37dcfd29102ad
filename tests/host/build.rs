// SPDX-License-Identifier: GPL-2.0

//! Prepares what the tests compile besides the allocator itself:
//!
//! - `src/sys/page.c`, unchanged, and the one function of `src/sys/shim.c` that takes a decision,
//!   both against `include/`;
//! - a copy of `src/` with all mutants of `mutants/list.rs` in it, each behind a switch;
//! - `mm/zsmalloc.c` of the kernel, if there is one, for the comparison of geometries.

#[path = "mutants/list.rs"]
mod list;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The module's sources.
const SOURCE: &str = "../../src";

fn main() {
    for path in [SOURCE, "include", "mutants", "build.rs"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo:rustc-link-search=native={}", out.display());

    let source = fs::canonicalize(SOURCE).expect("the module's sources");
    compile_c(&source, &out.join("plain"), "zsm_c");

    let mutated = out.join("mutated");
    copy(&source, &mutated);
    let stale = mutate(&mutated);
    compile_c(&mutated, &out.join("mutants"), "zsm_c_mutants");
    write_modules(&mutated, &stale, &out.join("mutated.rs"));

    find_kernel(&out);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The C half of the page life cycle, and `zs_rs_rcu_drain()`.
fn compile_c(source: &Path, out: &Path, library: &str) {
    fs::create_dir_all(out).expect("OUT_DIR");
    let shim = read(&source.join("sys/shim.c"));
    let start = shim
        .find("void zs_rs_rcu_drain(void)")
        .expect("zs_rs_rcu_drain() in shim.c");
    let end = start + shim[start..].find("\n}\n").expect("its end") + 3;
    let drain = out.join("drain.c");
    fs::write(
        &drain,
        format!(
            "#include \"host.h\"\nvoid zs_rs_rcu_drain(void);\n{}",
            &shim[start..end]
        ),
    )
    .expect("OUT_DIR");
    cc::Build::new()
        .file(source.join("sys/page.c"))
        .file(drain)
        .include("include")
        // Checks of the model panic below C frames.
        .flag("-fexceptions")
        .flag("-Wno-unused-parameter")
        .flag("-Werror=implicit-function-declaration")
        .cargo_metadata(false)
        .out_dir(env::var_os("OUT_DIR").expect("cargo sets it"))
        .compile(library);
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("OUT_DIR");
    for entry in fs::read_dir(from).expect("sources").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else if from
            .extension()
            .is_some_and(|kind| kind == "rs" || kind == "c" || kind == "h")
        {
            fs::copy(&from, &to).expect("a source");
        }
    }
}

/// Puts the mutants in. Returns those whose place is not found any more.
fn mutate(source: &Path) -> Vec<&'static str> {
    let mut stale = Vec::new();
    for mutant in list::MUTANTS {
        for edit in mutant.edits {
            let path = source.join(edit.file);
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.matches(edit.from).count() == 1 {
                fs::write(&path, text.replacen(edit.from, edit.to, 1)).expect("OUT_DIR");
            } else {
                stale.push(mutant.name);
            }
        }
    }
    stale
}

fn write_modules(source: &Path, stale: &[&str], to: &Path) {
    let source = source.display();
    let text = format!(
        "#[allow(warnings)] #[path = {:?}] mod zsmalloc;\n\
         mod front {{\n\
             #[allow(warnings)] #[path = {:?}] pub(crate) mod map;\n\
             #[allow(warnings)] #[path = {:?}] pub(crate) mod migrate;\n\
             #[path = {:?}] pub(crate) mod report;\n\
         }}\n\
         /// Mutants whose place in the sources is not found any more.\n\
         const STALE: &[&str] = &{stale:?};\n",
        format!("{source}/zsmalloc/mod.rs"),
        format!("{source}/front/map.rs"),
        format!("{source}/front/migrate.rs"),
        fs::canonicalize("model/front/report.rs").expect("the model"),
    );
    fs::write(to, text).expect("OUT_DIR");
}

/// The kernel's `mm/zsmalloc.c`: `ZSM_KERNEL` names a source tree or that file; otherwise Debian's
/// package is looked for. Without it the tests that need it are ignored, and say so.
fn find_kernel(out: &Path) {
    const PACKAGE: &str = "/usr/src/linux-source-6.12.tar.xz";
    println!("cargo:rerun-if-env-changed=ZSM_KERNEL");
    println!("cargo:rerun-if-changed={PACKAGE}");
    let file = out.join("zsmalloc.c");

    let found = match env::var_os("ZSM_KERNEL").map(PathBuf::from) {
        Some(path) if path.is_dir() => fs::copy(path.join("mm/zsmalloc.c"), &file).is_ok(),
        Some(path) => fs::copy(path, &file).is_ok(),
        None => file.exists() || fs::copy(KEPT, &file).is_ok() || unpack(PACKAGE, &file, out),
    };
    if found {
        extract(&file, &out.join("zsmalloc_extract.h"));
        println!("cargo:rustc-cfg=kernel_source");
    } else {
        let _ = fs::remove_file(&file);
        println!("cargo:warning=no mm/zsmalloc.c: install linux-source-6.12 or set ZSM_KERNEL");
    }
}

/// What was found in the package, for the other target directories of this checkout (sanitizers,
/// Miri): to look through the package takes many seconds.
const KEPT: &str = "target/zsmalloc.c";

fn unpack(package: &str, to: &Path, out: &Path) -> bool {
    let member = "linux-source-6.12/mm/zsmalloc.c";
    let found = Command::new("tar")
        .args(["--occurrence=1", "-xOf", package, member])
        .output()
        .is_ok_and(|tar| !tar.stdout.is_empty() && fs::write(to, tar.stdout).is_ok());
    if found {
        // Whole or not at all: another cargo may be reading. It can do without.
        let whole = out.join("kept.c");
        let _ = fs::copy(to, &whole).and_then(|_| fs::rename(&whole, KEPT));
    }
    found
}

/// Cuts what `geometry/main.c` needs out of the kernel's file: all from the first definition to the
/// pool, and the functions.
fn extract(from: &Path, to: &Path) {
    let text = read(from);
    let start = text.find("#define ZS_ALIGN").expect("ZS_ALIGN");
    let end = text.find("\nstruct zspage {").expect("struct zspage");
    let mut cut = text[start..end].to_owned();
    for head in [
        "static int get_size_class_index(",
        "static struct size_class *lookup_size_class(",
        "static bool can_merge(",
        "unsigned int zs_lookup_class_index(",
        "size_t zs_huge_class_size(",
        "static int calculate_zspage_chain_size(",
        "struct zs_pool *zs_create_pool(",
    ] {
        let start = text
            .find(&format!("\n{head}"))
            .unwrap_or_else(|| panic!("{head}"));
        let end = start + text[start..].find("\n}\n").expect("its end") + 3;
        cut.push_str(&text[start..end]);
    }
    fs::write(to, cut).expect("OUT_DIR");
}
