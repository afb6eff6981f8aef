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

use std::env::var;
use std::error::Error;
use std::fmt::Write as _;
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
    std::fs::write(&script, layout(&std::fs::read_to_string(LIST)?)?)?;
    if is_taken(&script)? {
        println!(
            "cargo::rustc-link-arg-bin=inference-relay={}",
            argument(&script)
        );
    }
    Ok(())
}

/// The linker's script: what calls run, then what the start runs, then the rest. Each function is a section of its own in
/// the objects, and those that seldom run have another name there.
fn layout(list: &str) -> Result<String, std::fmt::Error> {
    let mut script = String::from("SECTIONS\n{\n  .text :\n  {\n");
    for part in list.split("\n\n") {
        script.push_str("    *(");
        for name in part.lines().filter(|line| !line.starts_with('#')) {
            let hash = hash_of(name);
            write!(script, ".text.{name}{hash} .text.unlikely.{name}{hash} ")?;
        }
        script.push_str(")\n");
    }
    script.push_str("    *(.text .text.*)\n  }\n}\nINSERT AFTER .init;\n");
    Ok(script)
}

/// Rust's own names end in a hash, which each build makes anew.
fn hash_of(name: &str) -> &'static str {
    if name.starts_with("_ZN") { "17h*" } else { "" }
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
