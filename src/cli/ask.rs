//! `ask`: one call, through the running daemon or through one that lives for it alone.

use crate::cli::args::Ask;
use crate::cli::client::Client;
use crate::cli::client::Listener;
use crate::cli::misuse::Misuse;
use crate::cli::out;
use crate::cli::progress;
use crate::cli::run::CommandOutcome;
use crate::cli::run::warn;
use crate::cli::running;
use crate::cli::standalone::standalone;
use crate::config::Config;
use crate::config::Env;
use crate::wire::sse::Decoder;
use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::Value;
use serde_json::json;
use std::io::IsTerminal;
use std::io::Read;
use std::net::SocketAddr;

pub(crate) async fn ask(mut args: Ask, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.place, env)?;
    warn(&config);
    args.prompt = Some(prompt(args.prompt.take())?);
    let body = body(&args, &config);
    let address = SocketAddr::new(config.server.host, config.server.port);
    let client = Client::new(&config, env);
    match client.listener().await {
        Listener::Ours(_) => call(client, &body, &args).await,
        Listener::Other => bail!(
            "{address} is held by a program that is not an inference-relay daemon; name another port with --port"
        ),
        Listener::Nobody => {
            standalone(config, env, async |client| call(client, &body, &args).await).await
        }
    }
}

/// What is asked: as it was typed, or as it comes in a pipe.
fn prompt(typed: Option<String>) -> anyhow::Result<String> {
    let is_needed = typed.is_none();
    if let Some(typed) = typed.filter(|typed| typed != "-") {
        return Ok(typed);
    }
    let mut text = String::new();
    if !(is_needed && std::io::stdin().is_terminal()) {
        let read = std::io::stdin().read_to_string(&mut text);
        read.context("standard input is not text")?;
    }
    if is_needed && text.trim().is_empty() {
        let told = "there is nothing to ask: say it, as in `inference-relay ask \"What is a relay?\"`, or pipe it in";
        return Err(Misuse(told.to_owned()).into());
    }
    Ok(text)
}

fn body(args: &Ask, config: &Config) -> Value {
    let mut body = json!({
        "model": args.model.as_ref().unwrap_or(&config.session.model),
        "max_tokens": args.max_tokens,
        "messages": [{ "role": "user", "content": args.prompt.as_deref().unwrap_or_default() }],
        "stream": !args.no_stream,
    });
    if let Some(system) = &args.system {
        body["system"] = system.as_str().into();
    }
    body
}

async fn call(client: Client, body: &Value, args: &Ask) -> anyhow::Result<CommandOutcome> {
    let response =
        progress::during("waiting for the answer", client.post("/v1/messages", body)).await?;
    let code = header(&response, "x-relay-error");
    if let Some(ignored) = header(&response, "x-relay-ignored").filter(|ignored| ignored != "none")
    {
        out::note(&format!("note: the answer does not honour {ignored}"));
    }
    if !response.status().is_success() {
        let reply = client.whole(response).await?;
        return Err(failure(
            &reply.body,
            code.as_deref().unwrap_or(reply.status.as_str()),
        ));
    }
    if args.no_stream {
        buffered(client, response, args).await
    } else {
        streamed(client, response, args).await
    }
}

async fn buffered(
    client: Client,
    response: Response<Incoming>,
    args: &Ask,
) -> anyhow::Result<CommandOutcome> {
    let message = progress::during("waiting for the answer", client.whole(response))
        .await?
        .body;
    if args.json {
        out::json(&message)?;
        return Ok(CommandOutcome::Done);
    }
    let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    let text: String = blocks
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    out::answer(&text)?;
    end_line(text.chars().last())?;
    tell_end(&message["stop_reason"]);
    Ok(CommandOutcome::Done)
}

async fn streamed(
    client: Client,
    mut response: Response<Incoming>,
    args: &Ask,
) -> anyhow::Result<CommandOutcome> {
    let mut last = None;
    let end = print_events(client, &mut response, args, &mut last).await;
    end_line(last)?;
    tell_end(&end?);
    Ok(CommandOutcome::Done)
}

/// What is told next does not stand behind the text.
fn end_line(last: Option<char>) -> std::io::Result<()> {
    match last {
        None | Some('\n') => Ok(()),
        Some(_) => out::line(""),
    }
}

/// Prints a stream as it comes, and gives its stop reason; `last` is what stands at the end of what was printed.
async fn print_events(
    client: Client,
    response: &mut Response<Incoming>,
    args: &Ask,
    last: &mut Option<char>,
) -> anyhow::Result<Value> {
    let mut events = Decoder::default();
    let mut end = Value::Null;
    loop {
        // Once text is on the screen, a progress line would be drawn over it.
        let next = client.next(response);
        let next = if last.is_some() {
            next.await
        } else {
            progress::during("waiting for the answer", next).await
        };
        let Some(bytes) = next? else {
            bail!("the answer broke off before its end");
        };
        for frame in events.push(&bytes) {
            let event: Value = serde_json::from_str(&frame.data)
                .context("the daemon sent an event that is not JSON")?;
            if args.json {
                out::line(&frame.data)?;
                *last = Some('\n');
            }
            match event["type"].as_str() {
                Some("content_block_delta") => {
                    if let (Some(text), false) = (event["delta"]["text"].as_str(), args.json) {
                        out::answer(text)?;
                        *last = text.chars().last().or(*last);
                    }
                }
                Some("message_delta") => end = event["delta"]["stop_reason"].clone(),
                Some("message_stop") => return Ok(end),
                Some("error") => return Err(failure(&event, "the stream")),
                Some(_) | None => {}
            }
        }
    }
}

/// An answer that did not end by itself says so.
fn tell_end(stop_reason: &Value) {
    match stop_reason.as_str() {
        Some("end_turn") | None => {}
        Some(reason) => out::note(&format!("note: the answer ended with {reason}")),
    }
}

fn failure(body: &Value, code: &str) -> anyhow::Error {
    let message = body["error"]["message"]
        .as_str()
        .unwrap_or("the daemon gave no reason");
    anyhow!("{message} ({code})")
}

fn header(response: &Response<Incoming>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}
