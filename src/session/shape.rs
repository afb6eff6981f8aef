//! What must be known of a call when its session is launched. `[pure]`

use super::mcp::name;
use super::mcp::tool_delivery::OwnTools;
use super::mcp::tool_delivery::ToolDelivery;
use super::mode::Mode;
use crate::turn::Request;
use crate::turn::ToolChoice;
use crate::turn::ToolRule;
use crate::turn::answer_tokens_max;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Sessions of the same shape can serve each other's calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) mode: Mode,
    pub(crate) model: String,
    /// The system prompt; empty: none.
    pub(crate) system: String,
    pub(crate) max_tokens: u64,
    /// What is merged into each API request, as JSON text; empty: nothing.
    pub(crate) extra_body: String,
    /// Whether the caller asked for thinking; where not, the CLI must not think either.
    pub(crate) thinking: bool,
    /// What the CLI is to name to the API besides its own betas; empty: nothing.
    pub(crate) betas: String,
}

impl Shape {
    pub(crate) fn of(request: &Request, mode: Mode, own: OwnTools) -> Shape {
        Shape {
            mode,
            model: request.model.clone(),
            system: request.system.join("\n"),
            max_tokens: request
                .sampling
                .max_tokens
                .unwrap_or_else(|| answer_tokens_max(&request.model)),
            extra_body: extra_body(request, own),
            thinking: request.sampling.thinks(),
            betas: betas(request),
        }
    }

    /// Whether its answers may have so little room that one is cut as a rule, and not by accident.
    pub(crate) fn is_soon_cut(&self) -> bool {
        self.max_tokens <= SOON_CUT_TOKENS_MAX
    }

    /// The shape of sessions that are warmed before any caller asked.
    pub(crate) fn plain(model: &str) -> Shape {
        Shape {
            mode: Mode::Pty,
            model: model.to_owned(),
            system: String::new(),
            max_tokens: MAX_TOKENS_PLAIN,
            extra_body: String::new(),
            thinking: false,
            betas: String::new(),
        }
    }
}

fn extra_body(request: &Request, own: OwnTools) -> String {
    let sampling = &request.sampling;
    let mut body = Map::new();
    // The CLI cuts the bound at what it believes of the model; what is merged in stays.
    if let Some(tokens) = sampling
        .max_tokens
        .filter(|tokens| *tokens > MAX_TOKENS_UNCUT)
    {
        body.insert("max_tokens".into(), json!(tokens));
    }
    if !sampling.stop_sequences.is_empty() {
        body.insert("stop_sequences".into(), json!(sampling.stop_sequences));
    }
    for (name, value) in [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
    ] {
        if let Some(value) = value {
            body.insert(name.into(), json!(value));
        }
    }
    if let Some(top_k) = sampling.top_k {
        body.insert("top_k".into(), json!(top_k));
    }
    if let Some(thinking) = &sampling.thinking {
        body.insert("thinking".into(), thinking.clone());
    }
    body.extend(sampling.verbatim.clone());
    if let Some(tools) = ToolDelivery::of(&request.tools, own).merged {
        body.insert("tools".into(), tools);
    }
    let choice = request
        .tool_choice
        .as_ref()
        .filter(|_| !request.tools.is_empty());
    if let Some(choice) = choice.and_then(tool_choice) {
        body.insert("tool_choice".into(), choice);
    }
    if body.is_empty() {
        String::new()
    } else {
        Value::Object(body).to_string()
    }
}

/// What the caller names; and the beta of efforts, which the CLI names only where it sets the effort by itself.
fn betas(request: &Request) -> String {
    let config = request.sampling.verbatim.get("output_config");
    let has_effort = config.and_then(|config| config.get("effort")).is_some();
    let own =
        Some(EFFORT).filter(|own| has_effort && !request.betas.iter().any(|name| name == own));
    let named = request.betas.iter().map(String::as_str);
    named.chain(own).collect::<Vec<_>>().join(",")
}

/// The choice in the API's words; `None` where it is the API's own default.
fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    let mut body = match &choice.rule {
        ToolRule::Auto => json!({"type": "auto"}),
        ToolRule::Any => json!({"type": "any"}),
        ToolRule::None => json!({"type": "none"}),
        ToolRule::Named(name) => json!({"type": "tool", "name": name::prefixed(name)}),
    };
    match choice.one_at_a_time {
        None if choice.rule == ToolRule::Auto => return None,
        None => {}
        Some(one) => body["disable_parallel_tool_use"] = one.into(),
    }
    Some(body)
}

/// The beta of efforts.
const EFFORT: &str = "effort-2025-11-24";
/// Up to this the CLI cuts no bound of a model: the least that any may have is 4,096, and the most is 128,000.
const MAX_TOKENS_UNCUT: u64 = 4096;

/// What most first calls ask for; the pool learns the others.
pub(crate) const MAX_TOKENS_PLAIN: u64 = 1024;

/// Tokens that are a hundred words: who leaves an answer no more room has it cut as a rule. The others do not pay for a
/// wait of 10 to 60 ms that an answer in a thousand needs.
const SOON_CUT_TOKENS_MAX: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Message;
    use crate::turn::Role;

    fn request() -> Request {
        let blocks = vec![Block::Text("hi".into())];
        let role = Role::User;
        Request::plain(vec![Message { role, blocks }])
    }

    #[test]
    fn callers_that_name_other_betas_get_sessions_of_their_own() {
        let mut request = request();
        let plain = Shape::of(&request, Mode::Pty, OwnTools::None);
        request.betas = vec!["a-2025-01-01".into(), "b-2026-01-01".into()];
        let named = Shape::of(&request, Mode::Pty, OwnTools::None);
        assert_eq!(named.betas, "a-2025-01-01,b-2026-01-01");
        assert_ne!(named, plain);
    }

    #[test]
    fn an_answer_with_room_for_a_hundred_words_is_soon_cut() {
        let mut request = request();
        for (tokens, is_soon_cut) in [(1, true), (128, true), (129, false)] {
            request.sampling.max_tokens = Some(tokens);
            let shape = Shape::of(&request, Mode::Pty, OwnTools::None);
            assert_eq!(shape.is_soon_cut(), is_soon_cut, "{tokens}");
        }
        assert!(!Shape::plain("m").is_soon_cut());
    }

    #[test]
    fn the_beta_of_efforts_is_named_once() {
        let mut request = request();
        let config = json!({"effort": "low"});
        request
            .sampling
            .verbatim
            .insert("output_config".into(), config);
        assert_eq!(Shape::of(&request, Mode::Pty, OwnTools::None).betas, EFFORT);
        request.betas = vec![EFFORT.into()];
        assert_eq!(Shape::of(&request, Mode::Pty, OwnTools::None).betas, EFFORT);
    }

    #[test]
    fn a_bound_that_the_cli_would_cut_is_merged_into_its_request() {
        let mut request = request();
        for (tokens, body) in [(4096, ""), (200_000, r#"{"max_tokens":200000}"#)] {
            request.sampling.max_tokens = Some(tokens);
            assert_eq!(
                Shape::of(&request, Mode::Pty, OwnTools::None).extra_body,
                body
            );
        }
    }
}
