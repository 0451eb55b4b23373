//! The corpus, whole; then for some seconds what random changes make of it. One thread, so that what is allocated can be
//! told to the bytes that caused it.

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fuzzing::{TARGETS, Target};
use peak_alloc::PeakAlloc;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How long random bytes are tried, each decoder.
const TIME: Duration = Duration::from_secs(6);
/// What a decoder may hold at once for each byte of its input, besides what the target is granted.
const PER_BYTE: usize = 64;
/// The longest input made of others.
const LENGTH_MAX: usize = 64 * 1024;

fn main() -> ExitCode {
    let seed = std::env::var("DRIP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut out = std::io::stderr();
    let mut failed = false;
    for target in TARGETS {
        let name = target.name;
        match run(target, seed) {
            Ok(tried) => {
                writeln!(out, "{name}: {tried} inputs read well (seed {seed})").expect("stderr is open");
            }
            Err(sentence) => {
                writeln!(out, "{name}: {sentence} (seed {seed})").expect("stderr is open");
                failed = true;
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

fn run(target: &Target, seed: u64) -> Result<u64, String> {
    let corpus = corpus(target.name);
    if corpus.len() < 10 {
        return Err(format!("the corpus holds only {} files", corpus.len()));
    }
    let mut tried = 0;
    for input in &corpus {
        judge(target, input)?;
        tried += 1;
    }
    let mut random = SmallRng::seed_from_u64(seed);
    let begin = Instant::now();
    while begin.elapsed() < TIME {
        judge(target, &changed(&corpus, &mut random))?;
        tried += 1;
    }
    Ok(tried)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = folder(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("the folder can be read").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus can be read")).collect()
}

/// Error: it panicked, or held too much memory. The input is kept beside the corpus, to be looked at and added to it.
fn judge(target: &Target, input: &[u8]) -> Result<(), String> {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let read = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    let held = MEMORY.peak_usage().saturating_sub(before);
    let allowed = target.besides + PER_BYTE * input.len();
    let sentence = match read {
        Err(_) => "a panic".to_owned(),
        Ok(()) if held > allowed => format!("{held} bytes held for {} bytes", input.len()),
        Ok(()) => return Ok(()),
    };
    let file = std::env::temp_dir().join(format!("drip-fuzz-{}", target.name));
    fs::write(&file, input).map_err(|error| format!("{}: {error}", file.display()))?;
    Err(format!("{sentence}; the input is in {}", file.display()))
}

/// One of the corpus, changed in one to eight places.
fn changed(corpus: &[Vec<u8>], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
    for _ in 0..random.random_range(1..=8) {
        change(&mut bytes, corpus, random);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

/// Bytes that mean something to a decoder: markers of MessagePack, and what opens and closes JSON.
const TELLING: &[u8] = b"\x00\x01\x7f\x80\x90\x91\xa0\xa1\xc0\xc1\xc4\xc6\xc7\xca\xcb\xcf\xd3\xd9\xdb\xdc\xdd\xde\xdf\xe0\xff{}[]\",:\\-.0e";

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut SmallRng) {
    let at = random.random_range(0..=bytes.len());
    let end = random.random_range(at..=bytes.len().min(at + 64));
    match random.random_range(0..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = random.random(),
        2 if at < bytes.len() => bytes[at] = TELLING[random.random_range(0..TELLING.len())],
        3 => bytes.insert(at, TELLING[random.random_range(0..TELLING.len())]),
        4 => drop(bytes.drain(at..end)),
        5 => bytes.truncate(at),
        6 => {
            // The same piece many times over: long lists, deep nesting.
            let piece = bytes[at..end].repeat(random.random_range(1..=200));
            bytes.splice(at..at, piece);
        }
        _ => {
            let other = &corpus[random.random_range(0..corpus.len())];
            let from = random.random_range(0..=other.len());
            let to = random.random_range(from..=other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}
