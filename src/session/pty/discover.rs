//! Every claude that is installed here, in the order in which they are preferred.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What of the environment says where a claude may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiscoverEnv {
    /// `PATH`
    pub(crate) path: Option<OsString>,
    /// The user's home folder.
    pub(crate) home: Option<PathBuf>,
    /// `%APPDATA%`
    pub(crate) appdata: Option<PathBuf>,
}

/// The installs found: on `PATH`, in npm's folder on Windows, in bun's, in `~/.local/bin`, in VS Code's extensions.
/// The first is the one to run where none is configured. A file reached in two ways is listed once.
pub(crate) fn claude_candidates(env: &DiscoverEnv) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    files(env)
        .filter(|file| is_program(file))
        .filter(|file| seen.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())))
        .collect()
}

/// What is called like a claude and is none that could be run, with why.
pub(crate) fn claude_misfits(env: &DiscoverEnv) -> Vec<(PathBuf, &'static str)> {
    let mut seen = HashSet::new();
    files(env)
        .filter(|file| seen.insert(file.clone()))
        .filter_map(|file| misfit(&file).map(|why| (file, why)))
        .collect()
}

/// Why what lies there is no program; `None` where it is one, or nothing lies there.
fn misfit(path: &Path) -> Option<&'static str> {
    fs::symlink_metadata(path).ok()?;
    match fs::metadata(path) {
        Err(_) => Some("is a link that leads nowhere"),
        Ok(meta) if meta.is_dir() => Some("is a folder"),
        Ok(_) if !is_program(path) => Some("is not executable"),
        Ok(_) => None,
    }
}

/// The folders in which claudes are looked for, in the order in which they are preferred.
pub(crate) fn claude_folders(env: &DiscoverEnv) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(path) = &env.path {
        // An empty entry of PATH means the current folder, which is nobody's install.
        folders.extend(std::env::split_paths(path).filter(|folder| folder.is_absolute()));
    }
    folders.extend(env.appdata.iter().map(|appdata| appdata.join("npm")));
    if let Some(home) = &env.home {
        folders.push(home.join(".bun").join("bin"));
        folders.push(home.join(".local").join("bin"));
        folders.extend(extensions(home));
    }
    folders
}

/// Where a claude may be.
fn files(env: &DiscoverEnv) -> impl Iterator<Item = PathBuf> {
    let folders = claude_folders(env).into_iter();
    folders.flat_map(|folder| FILE_NAMES.iter().map(move |name| folder.join(name)))
}

/// The folders of VS Code (and its remote and insider kinds) that bundle a claude, the newest version first.
fn extensions(home: &Path) -> Vec<PathBuf> {
    let editors = entries(home)
        .into_iter()
        .filter(|(name, _)| name.starts_with(".vscode"));
    let mut bundles: Vec<(Vec<u64>, PathBuf)> = editors
        .flat_map(|(_, editor)| entries(&editor.join("extensions")))
        .filter_map(|(name, folder)| Some((numbers(name.strip_prefix(EXTENSION)?), folder)))
        .collect();
    bundles.sort_by_key(|(version, _)| Reverse(version.clone()));
    let folders = bundles
        .into_iter()
        .flat_map(|(_, folder)| BUNDLE_FOLDERS.map(|inner| folder.join(inner)));
    folders.collect()
}

/// The entries of a folder by name, in the order of their names; none if it cannot be read.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(read) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let named = read.flatten().map(|entry| {
        (
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        )
    });
    let mut all: Vec<_> = named.collect();
    all.sort();
    all
}

/// `2.1.197-linux-x64` as `[2, 1, 197]`.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split('-').next().unwrap_or(version);
    plain
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// What an install calls its program.
const FILE_NAMES: &[&str] = if cfg!(windows) {
    &["claude.exe", "claude.cmd"]
} else {
    &["claude"]
};

/// The extension's folder is this and a version.
const EXTENSION: &str = "anthropic.claude-code-";

/// Where in the extension's folder its program lies.
const BUNDLE_FOLDERS: [&str; 1] = ["resources/native-binary"];

#[cfg(all(test, unix))]
mod tests {
    use super::DiscoverEnv;
    use super::claude_candidates;
    use super::claude_folders;
    use super::claude_misfits;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::path::PathBuf;

    fn install(home: &Path, folder: &str, mode: u32) -> PathBuf {
        let folder = home.join(folder);
        fs::create_dir_all(&folder).expect("a folder in a temporary one must be made");
        let file = folder.join("claude");
        fs::write(&file, "#!/bin/sh\n").expect("a file in a temporary folder must be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode must be set");
        file
    }

    fn found(home: &Path, path: &str) -> Vec<PathBuf> {
        let path = Some(OsString::from(path));
        claude_candidates(&DiscoverEnv {
            path,
            home: Some(home.to_owned()),
            appdata: Some(home.join("appdata")),
        })
    }

    #[test]
    fn what_looks_like_a_claude_and_is_none_is_told_with_why() {
        let home = tempfile::tempdir().expect("a temporary folder must be made");
        let home = home.path();
        let plain = install(home, "plain", 0o644);
        let link = home.join("link/claude");
        fs::create_dir_all(home.join("link")).expect("a folder in a temporary one must be made");
        symlink(home.join("gone"), &link).expect("a link must be made");
        install(home, "good", 0o755);
        let path = ["plain", "link", "good"].map(|name| home.join(name));
        let path = std::env::join_paths(path).ok();
        let env = DiscoverEnv {
            path,
            home: None,
            appdata: None,
        };
        assert_eq!(
            claude_misfits(&env),
            [
                (plain, "is not executable"),
                (link, "is a link that leads nowhere")
            ]
        );
        assert_eq!(claude_folders(&env).len(), 3);
    }

    #[test]
    fn installs_are_found_in_the_order_of_the_contract() {
        let home = tempfile::tempdir().expect("a temporary folder must be made");
        let home = home.path();
        let old = install(
            home,
            ".vscode/extensions/anthropic.claude-code-2.1.9-linux-x64/resources/native-binary",
            0o755,
        );
        let new = install(
            home,
            ".vscode-server/extensions/anthropic.claude-code-2.1.30/resources/native-binary",
            0o755,
        );
        let local = install(home, ".local/bin", 0o755);
        let bun = install(home, ".bun/bin", 0o755);
        let npm = install(home, "appdata/npm", 0o755);
        let path = install(home, "tools", 0o755);
        let search = format!("relative:{}", home.join("tools").display());
        assert_eq!(found(home, &search), [path, npm, bun, local, new, old]);
    }

    #[test]
    fn a_file_that_cannot_run_is_no_install() {
        let home = tempfile::tempdir().expect("a temporary folder must be made");
        install(home.path(), ".local/bin", 0o644);
        fs::create_dir_all(home.path().join(".bun/bin/claude"))
            .expect("a folder in a temporary one must be made");
        assert_eq!(found(home.path(), ""), Vec::<PathBuf>::new());
    }

    #[test]
    fn one_file_reached_in_two_ways_is_one_install() {
        let home = tempfile::tempdir().expect("a temporary folder must be made");
        let real = install(home.path(), "lib", 0o755);
        fs::create_dir_all(home.path().join(".local/bin"))
            .expect("a folder in a temporary one must be made");
        symlink(&real, home.path().join(".local/bin/claude")).expect("a link must be made");
        let search = home.path().join("lib").display().to_string();
        assert_eq!(found(home.path(), &search), [real]);
    }
}
