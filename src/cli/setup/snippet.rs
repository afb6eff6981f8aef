//! What a program needs in order to call the relay. `[pure]`

/// What stands where the key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyText {
    /// Any text; the SDKs insist on one.
    Any,
    /// One of the user's keys, which setup does not know.
    Yours,
}

impl KeyText {
    fn shown(self) -> &'static str {
        match self {
            KeyText::Any => "unused",
            KeyText::Yours => "irk_…",
        }
    }

    /// The value for a program; `None`: the user has to put one there.
    fn value(self) -> Option<String> {
        (self == KeyText::Any).then(|| self.shown().to_owned())
    }

    fn said(self) -> &'static str {
        match self {
            KeyText::Any => {
                "The key may be any text, until you make keys of your own with `inference-relay key create`."
            }
            KeyText::Yours => {
                "irk_… is a key of yours: calls need one. `inference-relay key create NAME` makes one, and prints it once."
            }
        }
    }
}

/// The variables that the SDKs read, with their values where they are known.
pub(super) fn variables(url: &str, key: KeyText) -> [(&'static str, Option<String>); 2] {
    [
        ("ANTHROPIC_BASE_URL", Some(url.to_owned())),
        ("ANTHROPIC_API_KEY", key.value()),
    ]
}

/// The variables as the system's shell sets them for one program, and the same in both SDKs.
pub(super) fn snippet(url: &str, key: KeyText, is_windows: bool) -> String {
    let (said, key) = (key.said(), key.shown());
    let shell = if is_windows {
        format!(
            "$env:ANTHROPIC_BASE_URL = \"{url}\"; $env:ANTHROPIC_API_KEY = \"{key}\"; python app.py"
        )
    } else {
        format!("ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={key} python app.py")
    };
    format!(
        "   Start it with these two variables, and the Anthropic SDK calls the relay:

       {shell}

   Or say it in the program:

       client = anthropic.Anthropic(base_url=\"{url}\", api_key=\"{key}\")
       const client = new Anthropic({{ baseURL: \"{url}\", apiKey: \"{key}\" }});

   {said}
   Do not export the variables in your shell profile: claude reads them as well, and would call itself.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_sets_the_variables_for_one_program() {
        let posix = snippet("http://127.0.0.1:7421", KeyText::Any, false);
        assert!(posix.contains(
            "       ANTHROPIC_BASE_URL=http://127.0.0.1:7421 ANTHROPIC_API_KEY=unused python app.py\n"
        ));
        let windows = snippet("http://127.0.0.1:7421", KeyText::Any, true);
        assert!(windows.contains("$env:ANTHROPIC_BASE_URL = \"http://127.0.0.1:7421\";"));
    }

    #[test]
    fn where_calls_need_a_key_none_is_made_up() {
        let told = snippet("http://127.0.0.1:7421", KeyText::Yours, false);
        assert!(
            !told.contains("unused") && told.contains("key create NAME"),
            "{told}"
        );
        assert_eq!(
            variables("u", KeyText::Yours)[1],
            ("ANTHROPIC_API_KEY", None)
        );
    }
}
