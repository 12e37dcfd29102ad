// SPDX-License-Identifier: GPL-2.0

//! Puts one mutant of `list.rs` into a copy of the module's sources, for a kernel to run it:
//!
//! ```text
//! mutate list               NAME, then the guest's command that has to find it, or "-" and why none can
//! mutate apply NAME SRC     changes the files below SRC
//! ```
//!
//! A program of its own, compiled by rustc alone: see `scripts/test-mutants`.

// What the host needs to know of a mutant is not used here.
#[allow(dead_code)]
mod list;

use list::{Mutant, MUTANTS};
use std::{env, fs, path::Path, process::ExitCode};

/// What the edits call, always on: the copy has one mutant.
const SWITCH_RUST: &str =
    "\n/// The mutant is on.\nfn mutant(_name: &str) -> bool {\n    true\n}\n";
const SWITCH_C: &str = "#define host_mutant(name) true\n";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["list"] => {
            list();
            Ok(())
        }
        ["apply", name, source] => MUTANTS
            .iter()
            .find(|mutant| mutant.name == name)
            .ok_or(format!("no mutant {name}"))
            .and_then(|mutant| apply(mutant, Path::new(source))),
        _ => Err("usage: mutate list | apply NAME SRC".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mutate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    for mutant in MUTANTS {
        match mutant.guest {
            Ok(command) => println!("{}\t{command}", mutant.name),
            Err(why) => println!("{}\t-\t{why}", mutant.name),
        }
    }
}

fn apply(mutant: &Mutant, source: &Path) -> Result<(), String> {
    for edit in mutant.edits {
        replace(&source.join(edit.file), edit.from, edit.to)?;
    }
    let root = source.join("zsmalloc_rs.rs");
    let text = read(&root)? + SWITCH_RUST;
    write(&root, &text)?;
    let end = "#endif /* _ZSMALLOC_RS_SHIM_H */";
    replace(
        &source.join("sys/shim.h"),
        end,
        &format!("{SWITCH_C}\n{end}"),
    )
}

/// Replaces text that is there once.
fn replace(path: &Path, from: &str, to: &str) -> Result<(), String> {
    let text = read(path)?;
    match text.matches(from).count() {
        1 => write(path, &text.replacen(from, to, 1)),
        n => Err(format!("{}: found {n} times: {from}", path.display())),
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
