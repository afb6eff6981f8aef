//! `doctor --canary`: one small turn, from which the login and the whole way to the model are known.

use crate::cli::client::Client;
use crate::cli::client::ClientError;
use crate::cli::client::Listener;
use crate::cli::progress;
use crate::cli::standalone::standalone;
use crate::config::Config;
use crate::config::Env;
use serde_json::Value;
use serde_json::json;

/// What one turn showed.
#[derive(Debug)]
pub(crate) enum Probe {
    Answered,
    /// The daemon's own code and sentence.
    Failed {
        code: String,
        message: String,
    },
}

/// Asks the running daemon, or one that lives for this turn alone.
pub(crate) async fn fly(config: Config, env: &Env, listener: Listener) -> anyhow::Result<Probe> {
    let body = json!({
        "model": config.session.model,
        "max_tokens": TOKENS_MAX,
        "messages": [{ "role": "user", "content": "Say ok." }],
    });
    match listener {
        Listener::Ours(_) => Ok(ask(Client::new(&config, env), &body).await?),
        Listener::Other | Listener::Nobody => {
            standalone(config, env, async |client| Ok(ask(client, &body).await?)).await
        }
    }
}

async fn ask(client: Client, body: &Value) -> Result<Probe, ClientError> {
    let turn = async {
        let response = client.post("/v1/messages", body).await?;
        let code = response.headers().get("x-relay-error").cloned();
        Ok((code, client.whole(response).await?))
    };
    let (code, reply) = progress::during("one small turn", turn).await?;
    if reply.status.is_success() {
        return Ok(Probe::Answered);
    }
    let code = code.as_ref().and_then(|code| code.to_str().ok());
    let message = reply.body["error"]["message"].as_str();
    Ok(Probe::Failed {
        code: code.unwrap_or("unknown").to_owned(),
        message: message.unwrap_or("it gave no reason").to_owned(),
    })
}

/// Enough for two words.
const TOKENS_MAX: u32 = 16;
