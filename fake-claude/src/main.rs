//! A scriptable stand-in for the interactive claude CLI.

fn main() {}
