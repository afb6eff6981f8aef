//! Seeds for the fuzzers out of the recordings: `seed GOLDEN OUT` writes what terminals showed to `OUT/screen`, and
//! what went over the wire to `OUT/request` and `OUT/sse`.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(golden), Some(out)) = (paths.next(), paths.next()) else {
        return Err(io::Error::other("usage: seed GOLDEN OUT"));
    };
    let mut count = 0;
    for file in files(&golden)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (target, seed) = match name.as_str() {
            "session.cast" => ("screen", shown(&fs::read_to_string(&file)?)),
            "request.json" => ("request", fs::read(&file)?),
            "events.sse" => ("sse", [b"\x07".to_vec(), fs::read(&file)?].concat()),
            _ => continue,
        };
        fs::create_dir_all(out.join(target))?;
        count += 1;
        fs::write(out.join(target).join(format!("golden-{count}")), seed)?;
    }
    println!("{count} seeds out of {}", golden.display());
    Ok(())
}

/// What a recorded terminal was sent, after the byte that says how it is cut.
fn shown(recording: &str) -> Vec<u8> {
    let mut bytes = vec![b'\x07'];
    for line in recording.lines().skip(1) {
        if let Ok((_, kind, text)) = serde_json::from_str::<(f64, String, String)>(line)
            && kind == "o"
        {
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
