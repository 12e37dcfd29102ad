// SPDX-License-Identifier: GPL-2.0

//! Byte strings as sequences of operations: those that are kept in `corpus/`, and random changes of
//! them for a while. `tests/libfuzzer.rs` is where new ones for the corpus come from.

use crate::fuzz;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Longest input: 64 operations.
const LONGEST: usize = 257;

/// The inputs in `corpus/`: lines of hexadecimal digits; those that begin with # are comments.
fn corpus() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut inputs: Vec<_> = fs::read_dir(directory)
        .expect("the corpus")
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).expect("a file of the corpus"))
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| !line.starts_with('#'))
        .map(|line| from_hex(&line))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no corpus");
    inputs
}

fn from_hex(line: &str) -> Vec<u8> {
    let digits: Vec<u32> = line
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// Says which input it was that failed.
struct Trace<'a>(&'a [u8]);

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("input: {hex}");
        }
    }
}

#[test]
fn corpus_passes() {
    for input in corpus() {
        let _trace = Trace(&input);
        fuzz::run(&input);
    }
}

/// `ZSM_SECONDS` or a little; `ZSM_SEED` changes what is tried.
#[test]
fn random_changes_of_the_corpus_pass() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(number("ZSM_SECONDS").unwrap_or(3));
    let mut state = number("ZSM_SEED")
        .unwrap_or(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        | 1;
    let mut random = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % limit
    };
    let corpus = corpus();
    let mut tried = 0;
    while tried <= 10 || Instant::now() < end {
        let mut input = corpus[random(corpus.len())].clone();
        let other = &corpus[random(corpus.len())];
        // The first part of one and the last of another, at the borders of operations.
        input.truncate(1 + 4 * random(input.len() / 4 + 1));
        input.extend(&other[(1 + 4 * random(other.len() / 4 + 1)).min(other.len())..]);
        input.truncate(LONGEST);
        for _ in 0..random(12) {
            let at = random(input.len().max(1));
            if let Some(byte) = input.get_mut(at) {
                *byte = random(256) as u8;
            }
        }
        let _trace = Trace(&input);
        fuzz::run(&input);
        tried += 1;
    }
    println!("{tried} inputs");
}
