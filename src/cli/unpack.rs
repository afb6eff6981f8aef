//! What a backup is made of, and how it is unpacked: nothing that a backup does not have is taken out of a file that may
//! come from anybody.

use crate::disk;
use crate::hex::to_hex;
use anyhow::Context;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use tar::Archive;

/// Puts each part of a backup into a folder; the manifest, and the sums of the parts by name. Nothing else is
/// taken.
pub(super) fn unpack(
    path: &Path,
    scratch: &Path,
) -> anyhow::Result<(Value, BTreeMap<String, String>)> {
    let broken = || format!("{} is no backup, or is cut off", path.display());
    let file = File::open(path).with_context(|| format!("{} does not open", path.display()))?;
    let (mut sums, mut manifest, mut long) = (BTreeMap::new(), None, None);
    let mut left = PARTS_BYTES_MAX;
    // Raw: what a library makes of links, holes and names of any length is not bounded.
    for entry in Archive::new(file).entries()?.raw(true) {
        let mut entry = entry.with_context(broken)?;
        if entry.header().entry_type().is_gnu_longname() {
            long = Some(long_name(&mut entry)?);
            continue;
        }
        let short = || String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = long.take().unwrap_or_else(short);
        let is_plain = entry.header().entry_type().is_file();
        anyhow::ensure!(
            is_plain && (name == MANIFEST || is_part(&name)),
            "{name}: no backup has such a name in it"
        );
        let size = entry.size();
        anyhow::ensure!(
            size <= bytes_max(&name).min(left) && sums.len() < PARTS_MAX,
            "{name}: no backup has as much in it"
        );
        left -= size;
        let to = scratch.join(&name);
        disk::make_folder(to.parent().unwrap_or(scratch))?;
        let (bytes, sum) = copied(&mut entry, &to).with_context(broken)?;
        anyhow::ensure!(bytes == size, broken());
        if name == MANIFEST {
            manifest = Some(serde_json::from_slice::<Value>(&fs::read(&to)?)?);
            disk::remove(&to);
            continue;
        }
        let before = sums.insert(name.clone(), sum);
        anyhow::ensure!(before.is_none(), "{name} is in {} twice", path.display());
    }
    Ok((manifest.with_context(broken)?, sums))
}

/// The name of the next entry, where that is too long for its header.
fn long_name(entry: &mut impl Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    entry.take(NAME_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes)
        .trim_end_matches('\0')
        .to_owned())
}

/// Copies a part into a private file, piece by piece; how many bytes there were, and their sum.
fn copied(from: &mut impl Read, to: &Path) -> io::Result<(u64, String)> {
    let mut file = disk::lock_file(to)?;
    file.set_len(0)?;
    let (mut hash, mut piece, mut bytes) = (Sha256::new(), vec![0; PIECE_BYTES], 0);
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            file.sync_all()?;
            return Ok((bytes, to_hex(&hash.finalize())));
        }
        file.write_all(&piece[..count])?;
        hash.update(&piece[..count]);
        bytes += count as u64;
    }
}

/// Whether a backup has a part of this name.
fn is_part(name: &str) -> bool {
    let is_plain = |name: &str| !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    match name.split_once('/') {
        None => HOME_PARTS.contains(&name) || name == STORE || name == CONFIG,
        Some(("catalog", row)) => is_plain(row) && is_rows(row),
        Some(("limits", name)) => is_plain(name) && (name == CHARGES || is_charges(name)),
        Some(_) => false,
    }
}

pub(super) fn is_rows(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

pub(super) fn is_charges(name: &str) -> bool {
    name.starts_with("charges-")
}

/// Bytes of a part.
pub(super) fn bytes_max(name: &str) -> u64 {
    match name {
        STORE => PARTS_BYTES_MAX,
        _ => PART_BYTES_MAX,
    }
}

pub(super) fn sum(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

pub(super) const STORE: &str = "store.db";
pub(super) const CONFIG: &str = "relay.toml";
/// The files of the state folder that are parts, but for the store.
pub(super) const HOME_PARTS: [&str; 5] = [
    "keys.json",
    "key-uses.json",
    "secrets.json",
    "settings.json",
    "dashboard.toml",
];
/// Charges that were summed up.
pub(super) const CHARGES: &str = "charges.json";
/// Bytes of a part but the store: a catalog of thousands of rows in one file has a few million.
const PART_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all parts together: a store of a hundred million records.
const PARTS_BYTES_MAX: u64 = 64 << 30;
/// Parts of a backup: a file for each row of the largest catalog, and twice that.
pub(super) const PARTS_MAX: usize = 20_000;
/// Bytes of a name: more than a file system takes.
const NAME_BYTES_MAX: u64 = 1024;
/// Bytes that are copied at once.
const PIECE_BYTES: usize = 1 << 16;
/// Comes last: a backup without it was cut off.
pub(super) const MANIFEST: &str = "manifest.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::backup::header;
    use serde_json::json;
    use tar::Builder;
    use tar::EntryType;

    /// What becomes of a backup that has this one entry and a manifest.
    fn told(name: &str, kind: EntryType, size: u64) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("forged.tar");
        let mut tar = Builder::new(File::create(&path).expect("it is made"));
        let mut entry = header(size);
        entry.set_entry_type(kind);
        entry.set_path(name).expect("the name fits");
        entry.set_cksum();
        tar.append(&entry, b"x".as_slice()).expect("it is written");
        let manifest = json!({ "sha256": { name: sum(b"x") } }).to_string();
        let mut last = header(manifest.len() as u64);
        tar.append_data(&mut last, MANIFEST, manifest.as_bytes())
            .expect("it is written");
        tar.into_inner().expect("it is written");
        let scratch = folder.path().join("scratch");
        fs::create_dir(&scratch).expect("it is made");
        match unpack(&path, &scratch) {
            Ok((_, sums)) => format!("{} parts", sums.len()),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn nothing_is_unpacked_that_a_backup_does_not_have() {
        assert_eq!(told("keys.json", EntryType::Regular, 1), "1 parts");
        for name in ["daemon.key", "master.key", "pty-pids.json"] {
            let refused = told(name, EntryType::Regular, 1);
            assert!(refused.contains("no backup has such a name"), "{refused}");
        }
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::GNUSparse,
            EntryType::Directory,
            EntryType::Fifo,
            EntryType::XHeader,
        ] {
            let refused = told("keys.json", kind, 1);
            assert!(refused.contains("no backup has such a name"), "{refused}");
        }
    }

    #[test]
    fn a_part_has_a_bound_of_bytes_whatever_its_head_says() {
        for (name, size) in [
            ("keys.json", PART_BYTES_MAX + 1),
            ("store.db", PARTS_BYTES_MAX + 1),
            (MANIFEST, PART_BYTES_MAX + 1),
            ("keys.json", u64::MAX / 2),
        ] {
            let refused = told(name, EntryType::Regular, size);
            assert!(refused.contains("as much in it"), "{name}: {refused}");
        }
    }

    #[test]
    fn a_row_with_a_long_name_comes_back() {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let path = folder.path().join("long.tar");
        let name = format!("catalog/{}.yaml", "a".repeat(150));
        let mut tar = Builder::new(File::create(&path).expect("it is made"));
        for (name, text) in [(name.as_str(), "x"), (MANIFEST, "{}")] {
            tar.append_data(&mut header(text.len() as u64), name, text.as_bytes())
                .expect("it is written");
        }
        tar.into_inner().expect("it is written");
        let scratch = folder.path().join("scratch");
        fs::create_dir(&scratch).expect("it is made");
        let (_, sums) = unpack(&path, &scratch).expect("it is good");
        assert!(sums.contains_key(&name) && scratch.join(&name).exists());
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none_of_a_backup() {
        for name in [
            "store.db",
            "catalog/all.yaml",
            "limits/charges.json",
            "limits/charges-7",
        ] {
            assert!(is_part(name), "{name}");
        }
        for name in [
            "/etc/passwd",
            "../keys.json",
            "catalog/../../x.yaml",
            "catalog/.yaml",
            "catalog/x",
            "limits/other",
            "run/x",
            ".ssh/x",
            "a/b/c",
            "",
        ] {
            assert!(!is_part(name), "{name}");
        }
    }
}
