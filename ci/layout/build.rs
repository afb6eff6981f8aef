//! Lays the program out: the functions that a serving relay runs stand together at its front.
//!
//! A program's pages are mapped sixteen at a time, and what runs of this one was strewn over all of it: 14 MB of program
//! were resident, of which 5 were used. The list in `served.txt` beside this file names what runs; `ci/layout/record` writes
//! it. A name in it that no function has any more does nothing, and a function without a name in it stands behind.
//!
//! Only a release for Linux is laid out, and only where the linker takes the script, which is tried out on an empty
//! program: GNU's and LLVM's do.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script is told by its environment"
)]

use std::collections::BTreeSet;
use std::env::var;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LIST: &str = "ci/layout/served.txt";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=ci/layout/build.rs");
    println!("cargo::rerun-if-changed={LIST}");
    if var("PROFILE")? != "release" || var("CARGO_CFG_TARGET_OS")? != "linux" {
        return Ok(());
    }
    let script = PathBuf::from(var("OUT_DIR")?).join("layout.ld");
    std::fs::write(&script, layout(&std::fs::read_to_string(LIST)?))?;
    if is_taken(&script)? {
        println!(
            "cargo::rustc-link-arg-bin=inference-relay={}",
            argument(&script)
        );
    }
    Ok(())
}

/// The linker's script: what calls run, what the start runs, functions of a listed name whose hash this build makes anew, and
/// the rest.
fn layout(list: &str) -> String {
    let namesakes: BTreeSet<&str> = list.lines().filter_map(unhashed).collect();
    let parts = list
        .split("\n\n")
        .map(|part| group(part.lines().filter(is_name).map(pattern)));
    let namesakes = group(namesakes.into_iter().map(|name| format!("{name}17h*")));
    format!(
        "SECTIONS\n{{\n  .text :\n  {{\n{}{namesakes}    *(.text .text.*)\n  }}\n}}\nINSERT AFTER .init;\n",
        parts.collect::<String>()
    )
}

fn is_name(line: &&str) -> bool {
    !line.starts_with('#')
}

/// Functions, each a section of its own in the objects; those that seldom run have another name there.
fn group(names: impl Iterator<Item = String>) -> String {
    let sections = names.map(|name| format!("    *(.text.{name} .text.unlikely.{name})\n"));
    sections.collect()
}

/// A name of the list as the linker looks for it. Rust's own end in a hash, which is in the list where several have one name.
fn pattern(name: &str) -> String {
    let is_bare = name.starts_with("_ZN") && unhashed(name).is_none();
    format!("{name}{}", if is_bare { "17h*" } else { "" })
}

/// A name without the hash at its end, if there is one.
fn unhashed(name: &str) -> Option<&str> {
    let (bare, hash) = name
        .strip_suffix('E')?
        .split_at_checked(name.len().checked_sub(20)?)?;
    let digits = hash.strip_prefix("17h")?;
    digits
        .bytes()
        .all(|digit| digit.is_ascii_hexdigit())
        .then_some(bare)
}

/// Does the linker that links the relay take the script?
fn is_taken(script: &Path) -> Result<bool, Box<dyn Error>> {
    let mut rustc = Command::new(var("RUSTC")?);
    rustc.args([
        "--crate-name",
        "layout",
        "--crate-type",
        "bin",
        "--target",
        &var("TARGET")?,
    ]);
    rustc.args(["-C", &format!("link-arg={}", argument(script)), "-"]);
    rustc.arg("-o").arg(script.with_extension("tried"));
    if let Ok(linker) = var("RUSTC_LINKER") {
        rustc.args(["-C", &format!("linker={linker}")]);
    }
    rustc.args(
        var("CARGO_ENCODED_RUSTFLAGS")?
            .split('\u{1f}')
            .filter(|flag| !flag.is_empty()),
    );
    let mut tried = rustc
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    tried
        .stdin
        .take()
        .ok_or("rustc has no input")?
        .write_all(b"fn main() {}")?;
    Ok(tried.wait()?.success())
}

fn argument(script: &Path) -> String {
    format!("-Wl,-T,{}", script.display())
}
