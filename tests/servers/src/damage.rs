//! Damage to the files of a stream, as a dying disk does it. The server must be stopped.
//!
//! The index goes too: the server then builds it anew from what is left, and says nothing. A damaged block file under a
//! good index is found by the server itself.

use std::fs;
use std::path::{Path, PathBuf};

/// Cuts the newest block file of a stream to this part of its length, from 0.0 to 1.0.
///
/// # Panics
///
/// If the store holds no such stream, or its files can not be written.
pub fn cut_stream(store_dir: &Path, stream: &str, part: f64) {
    rewrite(store_dir, stream, |bytes| bytes.truncate(place(bytes, part)));
}

/// Flips one bit of the newest block file of a stream, at this part of its length.
///
/// # Panics
///
/// As [`cut_stream`].
pub fn flip_bit_in_stream(store_dir: &Path, stream: &str, part: f64) {
    rewrite(store_dir, stream, |bytes| {
        let place = place(bytes, part);
        bytes[place] ^= 1;
    });
}

/// Puts the files of another server's stream of the same name in place of this one's. Both servers must be stopped.
///
/// # Panics
///
/// As [`cut_stream`].
pub fn replace_stream(store_dir: &Path, stream: &str, other_store_dir: &Path) {
    let (ours, theirs) = (messages(store_dir, stream), messages(other_store_dir, stream));
    fs::remove_dir_all(&ours).unwrap_or_else(|error| panic!("{}: {error}", ours.display()));
    fs::create_dir(&ours).unwrap_or_else(|error| panic!("{}: {error}", ours.display()));
    for file in fs::read_dir(&theirs).expect("the folder was just found") {
        let file = file.expect("its entries can be read");
        fs::copy(file.path(), ours.join(file.file_name())).expect("our own folder takes a file");
    }
}

fn rewrite(store_dir: &Path, stream: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let messages = messages(store_dir, stream);
    let block = newest_block(&messages);
    let mut bytes = read(&block);
    change(&mut bytes);
    fs::write(&block, bytes).unwrap_or_else(|error| panic!("{}: {error}", block.display()));
    let index = messages.join("index.db");
    fs::remove_file(&index).unwrap_or_else(|error| panic!("{}: {error}", index.display()));
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rough place in a file, and no money"
)]
fn place(bytes: &[u8], part: f64) -> usize {
    (bytes.len() as f64 * part) as usize
}

/// The folder of a stream's block files, wherever it lies in the store.
fn messages(store_dir: &Path, stream: &str) -> PathBuf {
    let accounts = store_dir.join("jetstream");
    let folders = fs::read_dir(&accounts).unwrap_or_else(|error| panic!("{}: {error}", accounts.display()));
    let folders = folders.map(|account| {
        account.expect("its entries can be read").path().join("streams").join(stream).join("msgs")
    });
    let found: Vec<PathBuf> = folders.filter(|folder| folder.is_dir()).collect();
    match found.as_slice() {
        [one] => one.clone(),
        other => panic!("one account has a stream {stream}, not {other:?}"),
    }
}

fn newest_block(messages: &Path) -> PathBuf {
    let files =
        fs::read_dir(messages).expect("the folder was just found").map(|file| file.expect("readable").path());
    let number = |file: &PathBuf| file.file_stem()?.to_str()?.parse::<u64>().ok();
    let blocks = files.filter(|file| file.extension().is_some_and(|extension| extension == "blk"));
    let newest = blocks.max_by_key(number);
    newest.unwrap_or_else(|| panic!("{} holds a block file", messages.display()))
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
