//! What a call says that reaches the model in another way, or not at all, by path.

/// The labels of a call, as they come up while it is read.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) emulated: Vec<String>,
    pub(super) ignored: Vec<String>,
}

impl Labels {
    pub(super) fn emulate(&mut self, path: impl ToString) {
        self.emulated.push(path.to_string());
    }

    pub(super) fn ignore(&mut self, path: impl ToString) {
        self.ignored.push(path.to_string());
    }
}
