// SPDX-License-Identifier: GPL-2.0

//! Whether the models are sharp: each mutant of `mutants/list.rs` is switched on in a process of its
//! own, which runs the models that have to find it until one of them fails.
//!
//! The output is that of the standard test harness. An argument selects mutants by a part of their
//! name.

#[path = "../model/explore.rs"]
mod explore;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../mutants/list.rs"]
mod list;
#[path = "../model/pairs.rs"]
mod pairs;
#[path = "../model/rt/loom.rs"]
mod rt;
#[path = "../model/scenario.rs"]
mod scenario;
#[path = "../model/sys/mod.rs"]
mod sys;

include!(concat!(env!("OUT_DIR"), "/mutated.rs"));

#[link(name = "zsm_c_mutants", kind = "static")]
unsafe extern "C" {}

use list::{Mutant, MUTANTS};
use std::{
    env,
    ffi::{c_char, c_int, CStr},
    process::{exit, Command, ExitCode},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex, OnceLock,
    },
    time::{Duration, Instant},
};

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;

/// The variable that names the mutant of this process.
const SWITCH: &str = "ZSM_MUTANT";

/// No mutant that is found takes longer, on processors that guests leave little of.
const LIMIT: Duration = Duration::from_secs(300);

/// Whether the mutant is switched on.
fn mutant(name: &str) -> bool {
    static ON: OnceLock<Option<String>> = OnceLock::new();
    let on = ON.get_or_init(|| env::var(SWITCH).ok()).as_deref() == Some(name);
    if on {
        die_of_bad_pointers();
    }
    on
}

/// Lets a bad pointer end the process: loom's coroutines have a handler for that signal, which prints
/// a backtrace on a stack that is too small for it, and so may hang.
fn die_of_bad_pointers() {
    unsafe extern "C" {
        fn signal(number: c_int, handler: usize) -> usize;
    }
    const SIGSEGV: c_int = 11;
    const SIG_DFL: usize = 0;
    // SAFETY: The default action needs no code of ours.
    unsafe { signal(SIGSEGV, SIG_DFL) };
}

/// The same for C.
///
/// # Safety
///
/// `name` is a string.
#[no_mangle]
unsafe extern "C-unwind" fn host_mutant(name: *const c_char) -> bool {
    // SAFETY: As the caller promises.
    unsafe { CStr::from_ptr(name) }.to_str().is_ok_and(mutant)
}

/// Runs the models of the mutant that is switched on.
fn run_models() {
    let mutant = MUTANTS.iter().find(|known| mutant(known.name));
    let names = mutant.expect("no such mutant").models;
    for name in names {
        let model = pairs::MODELS.iter().find(|model| model.name == *name);
        let model = model.expect("no such model");
        eprintln!("model {} with early callbacks", model.name);
        model.early();
        eprintln!("model {} with late callbacks", model.name);
        model.late();
    }
}

/// Runs the models in another process: which model failed, and what it said.
fn failure(name: &str) -> Result<Option<String>, String> {
    let child = Command::new("timeout")
        .arg(LIMIT.as_secs().to_string())
        .arg(env::current_exe().map_err(|error| error.to_string())?)
        .env(SWITCH, name)
        .env("RUST_BACKTRACE", "0")
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&child.stderr);
    if child.status.success() {
        return Ok(None);
    }
    if child.status.code() == Some(124) {
        return Err(format!("no result in {} s", LIMIT.as_secs()));
    }
    let model = said.lines().rfind(|line| line.starts_with("model "));
    let mut lines = said.lines();
    let reason = lines
        .find(|line| line.contains("panicked at"))
        .and_then(|_| lines.next())
        .unwrap_or("a crash: freed or uninitialized memory was used as a pointer");
    Ok(Some(format!("{}: {reason}", model.unwrap_or("no model"))))
}

/// Whether the mutant is found, or not, as it should be; and a line about it.
fn try_mutant(mutant: &Mutant) -> (bool, String) {
    if STALE.contains(&mutant.name) {
        return (
            false,
            "its place in the sources is not found any more".into(),
        );
    }
    let start = Instant::now();
    let result = failure(mutant.name);
    let seconds = start.elapsed().as_secs_f32();
    match (result, mutant.harmful) {
        (Err(error), _) => (false, error),
        (Ok(Some(how)), true) => (true, format!("{seconds:.1} s, {how}")),
        (Ok(None), false) => (true, format!("makes no difference: {}", mutant.what)),
        (Ok(None), true) => (false, format!("not found: {}", mutant.what)),
        (Ok(Some(how)), false) => (false, format!("it does make a difference: {how}")),
    }
}

fn main() -> ExitCode {
    if env::var_os(SWITCH).is_some() {
        run_models();
        exit(0);
    }
    let parts: Vec<_> = env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| {
            parts.is_empty() || parts.iter().any(|part| mutant.name.contains(part.as_str()))
        })
        .collect();
    println!("\nrunning {} tests", wanted.len());

    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutant) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (good, line) = try_mutant(mutant);
                    let verdict = if good { "ok" } else { "FAILED" };
                    println!("test mutant::{} ... {verdict}\n  {line}", mutant.name);
                    if !good {
                        failed.lock().expect("not poisoned").push(mutant.name);
                    }
                }
            });
        }
    });

    let failed = failed.into_inner().expect("not poisoned");
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        wanted.len() - failed.len(),
        failed.len(),
        MUTANTS.len() - wanted.len(),
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}
