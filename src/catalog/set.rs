//! A set of rows, each of its own name. `[pure]`

use super::document::Document;
use super::document::ReadText;
use super::document::read_text;
use super::problem::Location;
use super::problem::Problem;
use super::problem::ProblemCode;
use super::problem::RowId;
use std::collections::BTreeMap;

/// Rows by kind and name, with what was wrong with those that are not among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocumentSet {
    rows: BTreeMap<RowId, Document>,
    problems: Vec<Problem>,
}

impl DocumentSet {
    /// The rows of one text.
    pub(crate) fn of_text(text: &str, location: &Location) -> DocumentSet {
        let mut set = DocumentSet::default();
        set.add(read_text(text, location));
        set
    }

    /// Adds what was read. Of two rows of one name the first one stays, so that a copy left behind changes nothing.
    pub(crate) fn add(&mut self, read: ReadText) {
        self.problems.extend(read.problems);
        for document in read.documents {
            let row = document.row();
            if let Some(first) = self.rows.get(&row) {
                self.problems.push(Problem {
                    location: document.location.clone(),
                    message: format!(
                        "there is one of this name at {} already, which stays",
                        first.location
                    ),
                    row: Some(row),
                    code: ProblemCode::Duplicate,
                });
                continue;
            }
            self.rows.insert(row, document);
        }
    }

    /// Adds rows of names that are not taken.
    pub(crate) fn bring(&mut self, read: ReadText) {
        for document in read.documents {
            self.rows.entry(document.row()).or_insert(document);
        }
    }

    pub(crate) fn complain(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Puts a row in, in place of one of its name.
    pub(crate) fn put(&mut self, document: Document) {
        self.rows.insert(document.row(), document);
    }

    pub(crate) fn remove(&mut self, row: &RowId) -> Option<Document> {
        self.rows.remove(row)
    }

    pub(crate) fn find(&self, row: &RowId) -> Option<&Document> {
        self.rows.get(row)
    }

    /// By kind, then by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.rows.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The whole set as one text, the same for the same rows.
    pub(crate) fn export(&self) -> String {
        self.iter().map(Document::to_yaml).collect()
    }
}
