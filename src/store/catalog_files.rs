//! Which files are the catalog's: relays on one PostgreSQL keep them the same.

use std::path::Path;

/// Whether a file may be one of the catalog's, by its name.
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "yaml" || end == "yml")
}

/// Whether a file or a folder is none of the catalog's: editors and mounted volumes keep their own so.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with('.')
}

/// Folders of the catalog within one another.
pub(crate) const CATALOG_DEPTH_MAX: usize = 8;
/// Files of a catalog. With one row a file, this is as many rows as a person keeps in view; a folder with more is
/// another one.
pub(crate) const CATALOG_FILES_MAX: usize = 4096;
