//! The command line, as far as a relay uses it.

use std::collections::BTreeMap;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Version,
    Models,
    Login { device: bool },
    LoginStatus,
    Logout,
    Doctor,
    AppServer(Settings),
}

/// The settings of `-c KEY=VALUE`; the last word of a key counts.
pub(crate) type Settings = BTreeMap<String, String>;

/// Reads the arguments.
///
/// # Errors
/// Where they ask for something that is not imitated.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Request, String> {
    let (mut words, mut settings) = (Vec::new(), Settings::new());
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-c" | "--config" => {
                let pair = args.next().unwrap_or_default();
                let (key, value) = pair
                    .split_once('=')
                    .ok_or(format!("error: Invalid override (missing '='): {pair}\n"))?;
                settings.insert(key.to_owned(), value.to_owned());
            }
            _ => words.push(arg),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--version" | "-V"] => Ok(Request::Version),
        ["debug", "models"] => Ok(Request::Models),
        ["login"] => Ok(Request::Login { device: false }),
        ["login", "--device-auth"] => Ok(Request::Login { device: true }),
        ["login", "status"] => Ok(Request::LoginStatus),
        ["logout"] => Ok(Request::Logout),
        ["doctor", ..] => Ok(Request::Doctor),
        ["app-server"] => Ok(Request::AppServer(settings)),
        other => Err(format!(
            "error: unexpected argument '{}' found\n",
            other.join(" ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, String> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_last_word_of_a_setting_counts_and_what_is_unknown_is_refused() {
        let settings = Settings::from([("a.b".to_owned(), "2".to_owned())]);
        assert_eq!(
            read("app-server -c a.b=1 -c a.b=2"),
            Ok(Request::AppServer(settings))
        );
        assert_eq!(
            read("login --device-auth"),
            Ok(Request::Login { device: true })
        );
        assert!(read("exec hi").is_err());
        assert!(read("app-server -c a").is_err());
    }
}
