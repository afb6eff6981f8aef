//! The Codex CLI on this machine: the program itself, past the script that npm puts before it.

use super::CodexConfig;
use crate::session::DiscoverEnv;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The CLI that runs: the configured one, or else the first found.
pub(super) fn program(config: &CodexConfig) -> Option<PathBuf> {
    let var = |name: &str| config.inherited.get(OsStr::new(name));
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let env = DiscoverEnv {
        path: var("PATH").cloned(),
        home: var(home).map(PathBuf::from),
        appdata: var("APPDATA").map(PathBuf::from),
    };
    let program = match &config.command {
        Some(command) => on_path(command, &env),
        None => discover(&env),
    };
    let program = program.filter(|program| program.is_file());
    program.map(|program| native(&program))
}

/// The first CLI found: on `PATH`, in npm's folder on Windows, in bun's and in `~/.local/bin`.
fn discover(env: &DiscoverEnv) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(path) = &env.path {
        // An empty entry of PATH means the current folder, which is nobody's install.
        folders.extend(std::env::split_paths(path).filter(|folder| folder.is_absolute()));
    }
    folders.extend(env.appdata.iter().map(|appdata| appdata.join("npm")));
    if let Some(home) = &env.home {
        folders.extend([home.join(".bun/bin"), home.join(".local/bin")]);
    }
    let files = folders.iter().map(|folder| folder.join(FILE_NAME));
    files.into_iter().find(|file| file.is_file())
}

/// A bare name is looked for on `PATH`.
fn on_path(name: &Path, env: &DiscoverEnv) -> Option<PathBuf> {
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name.to_owned());
    }
    let folders = std::env::split_paths(env.path.as_ref()?);
    let files = folders.map(|folder| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}

/// The program behind the script of an npm package, which only starts it: one process less, and half the time.
fn native(program: &Path) -> PathBuf {
    let real = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    if real.extension().is_none_or(|kind| kind != "js") {
        return program.to_owned();
    }
    let package = real.parent().and_then(Path::parent);
    let scopes = package.map(|package| {
        [
            Some(package.join("node_modules/@openai")),
            package.parent().map(Path::to_owned),
        ]
    });
    let scopes = scopes.into_iter().flatten().flatten();
    let packages = scopes.flat_map(|scope| entries(&scope));
    let platforms = packages.filter(|folder| name_of(folder).starts_with("codex-"));
    let builds = platforms.flat_map(|folder| entries(&folder.join("vendor")));
    let mut programs = builds.map(|build| build.join("bin").join(FILE_NAME));
    programs
        .find(|file| file.is_file())
        .unwrap_or_else(|| program.to_owned())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).into_iter().flatten().flatten();
    read.map(|entry| entry.path()).collect()
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What an install calls its program.
const FILE_NAME: &str = if cfg!(windows) { "codex.exe" } else { "codex" };

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_program_behind_npms_script_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("it is there");
        let script = root.join("node_modules/@openai/codex/bin/codex.js");
        let native_file = root.join("node_modules/@openai/codex-linux-x64/vendor/musl/bin/codex");
        for file in [&script, &native_file] {
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, "").expect("written");
        }
        let link = root.join("codex");
        symlink(&script, &link).expect("linked");
        assert_eq!(native(&link), native_file);
        let env = DiscoverEnv {
            path: Some(root.clone().into_os_string()),
            ..DiscoverEnv::default()
        };
        assert_eq!(discover(&env), Some(link));
        assert_eq!(native(&native_file), native_file);
    }
}
