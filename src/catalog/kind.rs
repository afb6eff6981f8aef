//! The kinds of rows, and what a name may be. `[pure]`

/// What a row declares; in the order in which rows refer to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Host,
    HostKey,
    Model,
    Binding,
    Policy,
    User,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] = [
        Kind::Host,
        Kind::HostKey,
        Kind::Model,
        Kind::Binding,
        Kind::Policy,
        Kind::User,
    ];

    /// As `kind:` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Host => "Host",
            Kind::HostKey => "HostKey",
            Kind::Model => "Model",
            Kind::Binding => "Binding",
            Kind::Policy => "Policy",
            Kind::User => "User",
        }
    }

    /// As commands and files have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::HostKey => "host-key",
            Kind::Model => "model",
            Kind::Binding => "binding",
            Kind::Policy => "policy",
            Kind::User => "user",
        }
    }

    /// By the word of commands, or as `kind:` has it.
    pub(crate) fn of_word(word: &str) -> Option<Kind> {
        let is_named = |kind: &Kind| kind.word() == word || kind.name() == word;
        Kind::ALL.into_iter().find(is_named)
    }

    pub(super) fn of_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Takes a name, or says what a name of this kind is.
pub(super) fn name_of(kind: Kind, name: &str) -> Result<(), String> {
    let more = match kind {
        // As providers write them: `meta-llama/Llama-3.1-8B`, `llama3.1:8b`. "@" pins a lane, so no name has it.
        Kind::Model => "._-:/+",
        Kind::Host | Kind::HostKey | Kind::Binding | Kind::Policy | Kind::User => "._-",
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= NAME_MAX && name.chars().all(is_plain) {
        return Ok(());
    }
    let more = more
        .chars()
        .map(|c| format!("\"{c}\""))
        .collect::<Vec<_>>()
        .join(", ");
    Err(format!(
        "\"{name}\" is not a name: write 1 to {NAME_MAX} of a-z, A-Z, 0-9, {more}, beginning with a letter or a digit"
    ))
}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let low = word.to_lowercase();
    let scored = known.into_iter().map(|known| {
        let score = strsim::normalized_damerau_levenshtein(&low, &known.to_lowercase());
        (score, known)
    });
    let alike = scored.filter(|(score, _)| *score >= ALIKE_MIN);
    alike
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// `; did you mean …?`, or what there is to choose from.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    let short = Some(word).filter(|word| word.len() <= NAME_MAX);
    match short.and_then(|word| nearest(word, known.iter().copied())) {
        Some(known) => format!("; did you mean \"{known}\"?"),
        None if known.is_empty() => String::new(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// Characters of a name: what a listing and a label have room for.
pub(super) const NAME_MAX: usize = 128;
/// How alike two words must be, from 0 to 1, for one to be offered in place of the other.
const ALIKE_MIN: f64 = 0.6;
