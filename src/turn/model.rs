//! What the name of a model tells by itself. `[pure]`

/// Tokens that an answer may have where its caller does not say: as many as the model can. A name that is not known is
/// taken for a newer model's.
pub(crate) fn answer_tokens_max(model: &str) -> u64 {
    let has = |marks: &[&str]| marks.iter().any(|mark| model.contains(mark));
    if has(&["claude-3-opus", "claude-3-haiku", "claude-3-sonnet"]) {
        4096
    } else if has(&["claude-3-5"]) {
        8192
    } else if has(&["opus-4-0", "opus-4-1", "opus-4-2025"]) {
        32_000
    } else {
        64_000
    }
}

#[cfg(test)]
mod tests {
    use super::answer_tokens_max;

    #[test]
    fn each_generation_has_its_own_length() {
        let lengths = [
            ("claude-3-haiku-20240307", 4096),
            ("claude-3-5-haiku", 8192),
            ("claude-opus-4-20250514", 32_000),
            ("claude-opus-4-8", 64_000),
            ("new", 64_000),
        ];
        for (model, length) in lengths {
            assert_eq!(answer_tokens_max(model), length, "{model}");
        }
    }
}
