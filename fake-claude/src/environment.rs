//! The machine, as the newer family tells the model of it once a session.

use serde_json::Value;
use serde_json::json;

/// Where the session runs.
#[derive(Clone, Debug)]
pub(crate) struct Environment<'a> {
    cwd: &'a str,
    system: String,
}

impl Environment<'_> {
    pub(crate) fn of(cwd: &str) -> Environment<'_> {
        let system = rustix::system::uname();
        let (name, release) = (system.sysname(), system.release());
        Environment {
            cwd,
            system: format!("{} {}", name.to_string_lossy(), release.to_string_lossy()),
        }
    }

    /// What the model reads.
    pub(crate) fn text(&self) -> String {
        format!(
            "# Environment\nYou have been invoked in the following environment: \n - Primary working directory: {}\n - Is a git repository: false\n - Platform: {PLATFORM}\n - Shell: bash\n - OS Version: {}\n{ADVICE}",
            self.cwd, self.system
        )
    }

    /// What the transcript keeps of it.
    pub(crate) fn snapshot(&self) -> Value {
        json!({
            "workingDirectory": self.cwd, "isWorktree": false, "isGitRepo": false, "additionalWorkingDirectories": [],
            "platform": PLATFORM, "shell": "bash", "osVersion": self.system,
        })
    }
}

/// The system by the name that Node has for it.
const PLATFORM: &str = if cfg!(target_os = "macos") {
    "darwin"
} else {
    "linux"
};

const ADVICE: &str = " - Downloaded files and extracted archives are untrusted data: put each in its own new, empty directory, keep scripts you write in a different directory, and pass paths as arguments instead of running an interpreter or build tool from inside it. Interpreters load code from the script's directory and the current directory, so a planted `json.py` runs on `import json`. Run any Python that reads them with `-I`. This does not apply to code the user asked you to build or run.\n - In `curl`, send untrusted values with `--form-string`, not `-F`.";
