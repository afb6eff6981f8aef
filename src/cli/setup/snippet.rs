//! What a program needs in order to call the relay. `[pure]`

/// The variables that the SDKs read. The key may be any text; the SDKs insist on one.
pub(super) fn variables(url: &str) -> [(&'static str, String); 2] {
    [
        ("ANTHROPIC_BASE_URL", url.to_owned()),
        ("ANTHROPIC_API_KEY", "unused".to_owned()),
    ]
}

/// The variables as the system's shell sets them for one program, and the same in both SDKs.
pub(super) fn snippet(url: &str, is_windows: bool) -> String {
    let [base, key] = variables(url);
    let shell = if is_windows {
        format!(
            "$env:{} = \"{}\"; $env:{} = \"{}\"; python app.py",
            base.0, base.1, key.0, key.1
        )
    } else {
        format!("{}={} {}={} python app.py", base.0, base.1, key.0, key.1)
    };
    format!(
        "   Start it with these two variables, and the Anthropic SDK calls the relay:

       {shell}

   Or say it in the program:

       client = anthropic.Anthropic(base_url=\"{url}\", api_key=\"unused\")
       const client = new Anthropic({{ baseURL: \"{url}\", apiKey: \"unused\" }});

   The key may be any text, unless you made keys of your own with `inference-relay key create`.
   Do not export the variables in your shell profile: claude reads them as well, and would call itself.
"
    )
}

#[cfg(test)]
mod tests {
    use super::snippet;

    #[test]
    fn each_shell_sets_the_variables_for_one_program() {
        let posix = snippet("http://127.0.0.1:7421", false);
        assert!(posix.contains(
            "       ANTHROPIC_BASE_URL=http://127.0.0.1:7421 ANTHROPIC_API_KEY=unused python app.py\n"
        ));
        let windows = snippet("http://127.0.0.1:7421", true);
        assert!(windows.contains("$env:ANTHROPIC_BASE_URL = \"http://127.0.0.1:7421\";"));
    }
}
