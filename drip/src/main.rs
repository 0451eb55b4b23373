//! The drip command.

fn main() {}
