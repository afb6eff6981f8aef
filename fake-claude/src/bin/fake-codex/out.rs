//! What is written: on stdout one message a line, whole, whoever writes it; on stderr what is logged.

use crate::clock;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

/// The way to the client.
#[derive(Debug, Default)]
pub(crate) struct Out {
    unwanted: Mutex<Vec<String>>,
    lock: Mutex<()>,
}

impl Out {
    /// The client does not want these notices.
    pub(crate) fn opt_out(&self, methods: &Value) {
        let methods = methods.as_array().into_iter().flatten();
        let methods = methods.filter_map(|method| method.as_str().map(str::to_owned));
        let mut unwanted = self.unwanted.lock().unwrap_or_else(PoisonError::into_inner);
        unwanted.extend(methods);
    }

    pub(crate) fn notice(&self, method: &str, params: &Value) {
        let is_unwanted = {
            let unwanted = self.unwanted.lock().unwrap_or_else(PoisonError::into_inner);
            unwanted.iter().any(|one| one == method)
        };
        if !is_unwanted {
            self.line(
                &json!({"method": method, "params": params, "emittedAtMs": clock::unix_ms()}),
            );
        }
    }

    pub(crate) fn ask(&self, id: u64, method: &str, params: &Value) {
        self.line(&json!({"method": method, "id": id, "params": params}));
    }

    pub(crate) fn reply(&self, id: &Value, result: &Value) {
        self.line(&json!({"id": id, "result": result}));
    }

    pub(crate) fn refuse(&self, id: &Value, code: i64, message: &str) {
        self.line(&json!({"error": {"code": code, "message": message}, "id": id}));
    }

    fn line(&self, message: &Value) {
        let line = format!("{message}\n");
        let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = std::io::stdout().lock();
        // A client that is gone reads nothing; the loop sees its end on stdin.
        let _ = stdout
            .write_all(line.as_bytes())
            .and_then(|()| stdout.flush());
    }
}

/// Logs a line.
pub(crate) fn log(line: &str) {
    // A log that nobody reads is no fault.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
