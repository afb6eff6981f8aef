//! What a submitted text means: a prompt, a slash command, or the end.

/// The meaning of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Prompt,
    Clear,
    Resume(String),
    /// `/resume` without a name.
    ResumeList,
    /// `/model`, with a name or without.
    Model(String),
    Login,
    Theme,
    LimitOptions,
    Exit,
    /// A command that is not known, and what stood behind it.
    Unknown {
        name: String,
        args: String,
    },
}

/// Reads a text; the newer family looks for a command behind leading blanks too.
pub(crate) fn meaning(text: &str, is_new: bool) -> Meaning {
    let bare = text.trim();
    if matches!(bare, "exit" | "quit" | ":q" | ":q!" | ":wq" | ":wq!") {
        return Meaning::Exit;
    }
    let line = if is_new { bare } else { text };
    let Some(line) = line.strip_prefix('/') else {
        return Meaning::Prompt;
    };
    let (name, args) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':'));
    let args = args.trim().to_owned();
    match name {
        "clear" | "reset" | "new" => Meaning::Clear,
        "resume" | "continue" if !args.is_empty() => Meaning::Resume(args),
        "resume" | "continue" => Meaning::ResumeList,
        "model" => Meaning::Model(args),
        "login" => Meaning::Login,
        "theme" => Meaning::Theme,
        "rate-limit-options" => Meaning::LimitOptions,
        "exit" | "quit" => Meaning::Exit,
        _ if is_name => Meaning::Unknown {
            name: name.to_owned(),
            args,
        },
        _ => Meaning::Prompt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_meaning() {
        assert_eq!(meaning(" quit", true), Meaning::Exit);
        assert_eq!(meaning("/clear", false), Meaning::Clear);
        assert_eq!(meaning("\n/clear", false), Meaning::Prompt);
        assert_eq!(meaning("\n/clear", true), Meaning::Clear);
        assert_eq!(meaning("/tmp/x.png", true), Meaning::Prompt);
        assert_eq!(
            meaning("/resume abc", true),
            Meaning::Resume("abc".to_owned())
        );
        assert_eq!(meaning("/resume", true), Meaning::ResumeList);
        assert_eq!(meaning("/model m", true), Meaning::Model("m".to_owned()));
        assert_eq!(
            meaning("/foo bar", true),
            Meaning::Unknown {
                name: "foo".to_owned(),
                args: "bar".to_owned()
            }
        );
    }
}
