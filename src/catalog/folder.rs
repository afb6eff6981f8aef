//! The folder that rows are declared in: read whole, written privately, row by row.

use super::change::Change;
use super::change::ChangeSet;
use super::change::Changed;
use super::document::Document;
use super::document::read_text;
use super::problem::Location;
use super::problem::Problem;
use super::problem::RowId;
use super::set::DocumentSet;
use crate::disk;
use crate::store::CATALOG_DEPTH_MAX;
use crate::store::CATALOG_FILES_MAX;
use crate::store::Drafts;
use crate::store::Rewritten;
use crate::store::StoreError;
use crate::store::is_hidden;
use crate::store::is_yaml;
use crate::sync::lock;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use thiserror::Error;

/// Reads every row of a folder, or of one file. What cannot be read is among the problems.
pub(crate) fn load(path: &Path) -> DocumentSet {
    texts(path).rows()
}

/// Reads a folder again and again, for whoever shows it: its texts are read each time, and their rows only where a text is
/// another one.
#[derive(Debug, Default)]
pub(crate) struct FolderReader(Mutex<(Texts, Arc<DocumentSet>)>);

impl FolderReader {
    /// As [`load`]. It blocks.
    pub(crate) fn load(&self, path: &Path) -> Arc<DocumentSet> {
        let texts = texts(path);
        let mut last = lock(&self.0);
        if last.0 != texts {
            let rows = Arc::new(texts.rows());
            *last = (texts, rows);
        }
        Arc::clone(&last.1)
    }
}

/// What the files of a folder say, before anybody knows what that means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// In the order of their paths.
    files: Vec<(PathBuf, Result<String, String>)>,
    problems: Vec<Problem>,
}

impl Texts {
    /// Reads a folder anew. A file that somebody is just writing says what it said before, and the wait until the first of
    /// them is to be looked at again is given back.
    pub(super) fn take_up(&mut self, path: &Path, drafts: &Drafts) -> Option<Duration> {
        let mut found = texts(path);
        let mut waits = Vec::new();
        found.files.retain_mut(|(file, text)| {
            let before = self.of(file);
            let Some(wait) = draft_wait(drafts, file, before, text) else {
                return true;
            };
            waits.push(wait);
            before.is_some_and(|before| {
                before.clone_into(text);
                true
            })
        });
        *self = found;
        waits.into_iter().min()
    }

    fn of(&self, file: &Path) -> Option<&Result<String, String>> {
        let place = self
            .files
            .binary_search_by(|(path, _)| path.as_path().cmp(file));
        place.ok().map(|place| &self.files[place].1)
    }

    pub(super) fn rows(&self) -> DocumentSet {
        let mut set = DocumentSet::default();
        for problem in &self.problems {
            set.complain(problem.clone());
        }
        for (file, text) in &self.files {
            match text {
                Ok(text) => set.add(read_text(text, &Location::in_file(file, 0))),
                Err(problem) => set.complain(Problem::file(file, problem)),
            }
        }
        set
    }
}

/// How long what a file says is not to be believed yet; `None` where it may be, or is what it said before.
fn draft_wait(
    drafts: &Drafts,
    file: &Path,
    before: Option<&Result<String, String>>,
    text: &Result<String, String>,
) -> Option<Duration> {
    let change = match (before, text) {
        (Some(before), text) if before == text => return None,
        (Some(Ok(_)), Ok(text)) => Rewritten::of(text),
        _ => Rewritten::Changed,
    };
    // Whoever reads the folder waits for its changes to settle.
    drafts.wait(file, change, Duration::ZERO)
}

fn texts(path: &Path) -> Texts {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let found = match fs::metadata(path) {
        Ok(data) if data.is_dir() => list(path, 0, &mut files),
        Ok(_) => {
            files.push(path.to_owned());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = found {
        let message = format!("this folder does not open: {error}");
        problems.push(Problem::file(path, message));
    }
    // One order on every machine: of two rows of one name the first stays.
    files.sort();
    if files.len() > CATALOG_FILES_MAX {
        let message =
            format!("there are more than {CATALOG_FILES_MAX} files; the rest is not read");
        problems.push(Problem::file(path, message));
        files.truncate(CATALOG_FILES_MAX);
    }
    let read = |file: PathBuf| {
        let text = read_file(&file);
        (file, text)
    };
    Texts {
        files: files.into_iter().map(read).collect(),
        problems,
    }
}

/// Why a change of the folder is not what its rows are now.
#[derive(Debug, Error)]
pub(crate) enum WriteFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is in a file, but the folder does not say so when it is read: other text is in the way.
    #[error("the change of {row} was written and is not in force: {why}")]
    NotTaken { row: RowId, why: String },
}

/// Makes the changes in a folder, and reads it to see that they are made. A row that stands in a file with others is
/// replaced there, and the others, with their comments, stay as they are; a new one gets a file of its own.
///
/// # Errors
/// Where a file cannot be written (the changes before it are made), or where what is written is not what is read.
pub(crate) fn write(folder: &Path, changes: &ChangeSet) -> Result<(), WriteFault> {
    put(folder, changes)?;
    let now = load(folder);
    match changes.changes.iter().find(|change| !is_made(change, &now)) {
        Some(change) => Err(WriteFault::NotTaken {
            row: change.row.clone(),
            why: in_the_way(change, &now),
        }),
        None => Ok(()),
    }
}

fn is_made(change: &Change, now: &DocumentSet) -> bool {
    let found = now.find(&change.row);
    match &change.what {
        Changed::Added(wanted) => found.is_some_and(|found| found.says_the_same(wanted)),
        Changed::Edited { after, .. } => found.is_some_and(|found| found.says_the_same(after)),
        Changed::Removed(_) => found.is_none(),
    }
}

/// What keeps a change out: another row of its name, or else what is wrong in the folder.
fn in_the_way(change: &Change, now: &DocumentSet) -> String {
    if let Some(other) = now.find(&change.row) {
        return format!(
            "{} says something else; mend or remove that",
            other.location
        );
    }
    let mut problems = now.problems().iter();
    let mine = problems.find(|problem| match &problem.row {
        Some(row) => *row == change.row,
        None => true,
    });
    mine.map_or_else(
        || "the folder was changed meanwhile".to_owned(),
        |problem| format!("mend {problem}"),
    )
}

fn put(folder: &Path, changes: &ChangeSet) -> Result<(), StoreError> {
    disk::make_folder(folder).map_err(|source| StoreError::Unwritable {
        path: folder.to_owned(),
        source,
    })?;
    // From the end of each file to its beginning, so that no line moves that is still to be found.
    let mut changes: Vec<_> = changes.changes.iter().collect();
    let mut all = changes.iter();
    let has_new = all.any(|change| matches!(change.what, Changed::Added(_)));
    let spoilt = has_new.then(|| load(folder));
    let spoilt = spoilt.unwrap_or_default();
    changes.sort_by_key(|change| std::cmp::Reverse(line(change)));
    for change in changes {
        match &change.what {
            Changed::Added(document) if text_of(&spoilt, &change.row).is_some() => {
                // Lines may have moved since.
                let now = load(folder);
                match text_of(&now, &change.row) {
                    Some(location) => replace_text(location, Some(document))?,
                    None => write_new(folder, document)?,
                }
            }
            Changed::Added(document) => write_new(folder, document)?,
            Changed::Edited { before, after, .. } => {
                replace_row(folder, before, Some(after))?;
            }
            Changed::Removed(document) => replace_row(folder, document, None)?,
        }
    }
    Ok(())
}

/// Where a row stands that is out for its text, so that the new one goes in its place and not beside it.
fn text_of<'a>(set: &'a DocumentSet, row: &RowId) -> Option<&'a Location> {
    let mut problems = set.problems().iter();
    let found = problems.find(|problem| problem.row.as_ref() == Some(row));
    let location = found.map(|problem| &problem.location);
    location.filter(|location| location.line > 0 && set.find(row).is_none())
}

fn line(change: &Change) -> usize {
    match &change.what {
        Changed::Added(_) => 0,
        Changed::Edited { before, .. } => before.location.line,
        Changed::Removed(before) => before.location.line,
    }
}

fn write_new(folder: &Path, document: &Document) -> Result<(), StoreError> {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = document.name.chars().map(plain).collect();
    let path = folder.join(format!("{}-{name}.yaml", document.kind().word()));
    // A file of that name may hold other rows, or one whose name differs in what a file's name cannot have.
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(StoreError::Unreadable { path, source }),
    };
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    save(&path, &format!("{before}{gap}{}", document.to_yaml()))
}

fn replace_row(
    folder: &Path,
    before: &Document,
    after: Option<&Document>,
) -> Result<(), StoreError> {
    match before.location.path() {
        Some(_) => replace_text(&before.location, after),
        None => after.map_or(Ok(()), |after| write_new(folder, after)),
    }
}

/// Replaces the document that holds a place, or takes it out.
fn replace_text(location: &Location, after: Option<&Document>) -> Result<(), StoreError> {
    let Some(path) = location.path() else {
        return Ok(());
    };
    let text = fs::read_to_string(&path).map_err(|source| StoreError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let new = splice(
        &text,
        location.line,
        after.map(Document::to_yaml).as_deref(),
    );
    if new.trim().is_empty() {
        disk::remove(&path);
        return Ok(());
    }
    save(&path, &new)
}

/// The text with the document that holds a line replaced, or taken out.
fn splice(text: &str, line: usize, new: Option<&str>) -> String {
    let mut parts = vec![String::new()];
    let (mut place, mut hit) = (0, 0);
    for (number, each) in text.split_inclusive('\n').enumerate() {
        if each.starts_with("---") && !parts[place].is_empty() {
            parts.push(String::new());
            place += 1;
        }
        parts[place].push_str(each);
        if number + 1 == line {
            hit = place;
        }
    }
    parts[hit] = new.unwrap_or_default().to_owned();
    parts.concat()
}

fn save(path: &Path, text: &str) -> Result<(), StoreError> {
    disk::replace(path, text.as_bytes()).map_err(|source| StoreError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

/// Every YAML file below a folder, but for what is hidden: editors and mounted volumes keep their own there.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_hidden(&path) || files.len() > CATALOG_FILES_MAX {
            continue;
        }
        if path.is_dir() {
            if depth < CATALOG_DEPTH_MAX {
                list(&path, depth + 1, files)?;
            }
        } else if is_yaml(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path)
        .map_err(|error| format!("this file does not open: {error}"))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(format!(
            "this file is over {FILE_BYTES_MAX} bytes; split it"
        ));
    }
    fs::read_to_string(path).map_err(|error| format!("this file does not read: {error}"))
}

/// Bytes of one file: some thousand rows.
const FILE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::super::change::Prune;
    use super::super::change::diff;
    use super::*;

    fn host(name: &str, port: u16) -> String {
        format!(
            "kind: Host\nmetadata: {{ name: {name} }}\nspec: {{ url: \"http://10.0.0.1:{port}\", network: private }}\n"
        )
    }

    fn change(folder: &Path, wanted: &str) {
        let wanted = DocumentSet::of_text(wanted, &Location::default());
        assert_eq!(wanted.problems(), []);
        let changes = diff(&load(folder), &wanted, Prune::Remove);
        write(folder, &changes).expect("it is written");
        let after = load(folder);
        assert_eq!(after.problems(), []);
        assert_eq!(after.export(), wanted.export());
    }

    #[test]
    fn a_row_is_replaced_in_its_file_and_comments_of_the_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("all.yaml");
        let text = format!(
            "# mine\n{}---\n# second\n{}---\n# third\n{}",
            host("a", 1),
            host("b", 2),
            host("c", 3)
        );
        fs::write(&path, text).expect("it is written");
        change(
            folder.path(),
            &format!("{}---\n{}---\n{}", host("a", 1), host("b", 9), host("d", 4)),
        );
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.starts_with("# mine\n"), "{text}");
        assert!(text.contains(":9") && !text.contains("# third"), "{text}");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["all.yaml", "host-d.yaml"]);
    }

    #[test]
    fn the_last_row_of_a_file_takes_the_file_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        change(folder.path(), &host("a", 1));
        assert!(folder.path().join("host-a.yaml").exists());
        change(folder.path(), "");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("catalog");
        change(&folder, &host("a", 1));
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            (mode(&folder), mode(&folder.join("host-a.yaml"))),
            (0o700, 0o600)
        );
    }

    #[test]
    fn hidden_files_and_other_files_are_not_read_and_folders_below_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("team");
        fs::create_dir(&below).expect("a folder");
        fs::write(below.join("a.yml"), host("a", 1)).expect("it is written");
        fs::write(folder.path().join(".b.yaml"), host("b", 1)).expect("it is written");
        fs::write(folder.path().join("c.yaml~"), host("c", 1)).expect("it is written");
        let set = load(folder.path());
        let names: Vec<_> = set.iter().map(|document| document.name.as_str()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(load(&folder.path().join("none")).len(), 0);
    }

    #[test]
    fn whoever_reads_again_and_again_sees_every_change_and_reads_the_same_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml");
        let reader = FolderReader::default();
        assert_eq!(reader.load(folder.path()).len(), 0);
        fs::write(&path, host("a", 1)).expect("it is written");
        let first = reader.load(folder.path());
        assert!(Arc::ptr_eq(&first, &reader.load(folder.path())));
        // As long as before, and within the same moment.
        fs::write(&path, host("a", 2)).expect("it is written");
        let second = reader.load(folder.path());
        assert_ne!(first.export(), second.export());
        fs::write(&path, "kind: Nothing\n").expect("it is written");
        let told = reader.load(folder.path());
        assert!(!told.problems().is_empty());
        assert_eq!(told.problems(), load(folder.path()).problems());
        fs::remove_file(&path).expect("it is removed");
        assert_eq!(reader.load(folder.path()).len(), 0);
    }

    #[test]
    fn two_rows_of_one_name_are_told_with_both_places_and_the_first_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("1.yaml"), host("a", 1)).expect("it is written");
        fs::write(folder.path().join("2.yaml"), host("a", 2)).expect("it is written");
        let set = load(folder.path());
        assert!(set.export().contains(":1\""));
        let problem = set.problems()[0].to_string();
        assert!(
            problem.contains("2.yaml:1: Host a: ") && problem.contains("1.yaml:1"),
            "{problem}"
        );
    }
}
