//! The login: a file in the CLI's home that says who is logged in. No token is in it.

use crate::Exit;
use crate::env::Env;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// Logs in at once, as a user who has finished in the browser would be.
pub(crate) fn log_in(env: &Env, device: bool) -> Exit {
    let begun = match device {
        true => {
            "Follow these steps to sign in with ChatGPT using device code authorization:\n\n1. Open this link: \
                 https://auth.example/codex/device\n\n2. Enter this one-time code: FAKE-CODE\n\n"
        }
        false => "Starting local login server on http://localhost:1455.\n",
    };
    let account = json!({"auth_mode": "chatgpt", "account": ACCOUNT});
    let written =
        fs::create_dir_all(&env.home).and_then(|()| fs::write(file(env), account.to_string()));
    let (code, end) = match written {
        Ok(()) => (0, "Successfully logged in\n".to_owned()),
        Err(error) => (1, format!("Error logging in: {error}\n")),
    };
    Exit {
        code,
        out: String::new(),
        words: format!("{begun}{end}"),
    }
}

/// Whether somebody is logged in, in words.
pub(crate) fn status(env: &Env) -> Exit {
    let (code, words) = match is_logged_in(env) {
        true => (0, "Logged in using ChatGPT\n"),
        false => (1, "Not logged in\n"),
    };
    Exit {
        code,
        out: String::new(),
        words: words.to_owned(),
    }
}

/// Forgets the login.
pub(crate) fn log_out(env: &Env) -> Exit {
    let words = match fs::remove_file(file(env)) {
        Ok(()) => "Successfully logged out\n",
        Err(_) => "Not logged in\n",
    };
    Exit {
        code: 0,
        out: String::new(),
        words: words.to_owned(),
    }
}

/// The answer to `account/read`.
pub(crate) fn read(env: &Env) -> Value {
    let account = match is_logged_in(env) {
        true => json!({"type": "chatgpt", "email": ACCOUNT, "planType": "plus"}),
        false => Value::Null,
    };
    json!({"account": account, "userId": null, "requiresOpenaiAuth": env.needs_login, "workspaceRouting": null})
}

pub(crate) fn is_logged_in(env: &Env) -> bool {
    file(env).is_file()
}

fn file(env: &Env) -> PathBuf {
    env.home.join("auth.json")
}

/// Nobody.
const ACCOUNT: &str = "user@example.com";
