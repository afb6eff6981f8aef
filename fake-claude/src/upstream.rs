//! The real way to an answer: a streaming request to `ANTHROPIC_BASE_URL`, read event by event.

use serde_json::Value;
use serde_json::json;

use crate::ending;
use crate::http::Cancel;
use crate::http::Conn;
use crate::http::Head;
use crate::http::Url;
use crate::js;
use crate::look::Dialect;
use crate::look::Unstreamed;
use crate::reply::Bit;
use crate::reply::Failure;
use crate::reply::Reply;
use crate::transcript::with;

/// Where requests go and with which key.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) base: Url,
    pub(crate) key: String,
    pub(crate) version: String,
    /// `cli`, or `sdk-cli` in print mode.
    pub(crate) entry: &'static str,
    /// Whether a subscription is used, whose limits have words of their own.
    pub(crate) by_token: bool,
    /// Features that the environment names, besides its own.
    pub(crate) betas: Option<String>,
    pub(crate) dialect: Dialect,
}

impl Upstream {
    /// Sends `body` and reads the answer to its end.
    pub(crate) fn ask(
        &self,
        body: &Value,
        cancel: &Cancel,
        sink: &mut dyn FnMut(Bit),
    ) -> Result<Reply, Failure> {
        let mut reader = Reader::new(body);
        let mut result = self.exchange(body, &self.features(body), cancel, sink, &mut reader);
        let failure = result.as_ref().err();
        let first = failure.filter(|_| reader.reply.id.is_empty());
        if let Some((body, features)) = first.and_then(|failure| self.other(body, failure)) {
            reader = Reader::new(&body);
            result = self.exchange(&body, &features, cancel, sink, &mut reader);
        }
        match result {
            Ok(()) => Ok(reader.reply),
            Err(Failure::Network(_)) if cancel.is_set() => {
                Err(Failure::Interrupted(Box::new(Reply {
                    stop_reason: None,
                    ..reader.reply
                })))
            }
            Err(failure) => Err(failure),
        }
    }

    /// What of the API a request asks for.
    fn features(&self, body: &Value) -> String {
        let thinks = body.get("thinking").is_some();
        self.dialect.features[usize::from(thinks)].to_owned()
    }

    /// The other request that is made at once where the first was refused: without a feature, or without a stream.
    fn other(&self, body: &Value, failure: &Failure) -> Option<(Value, String)> {
        let features = self.features(body);
        match (failure, self.dialect.dispensable) {
            (Failure::Api { status: 400, .. }, Some(feature)) => {
                let left = features.split(',').filter(|one| *one != feature);
                Some((body.clone(), left.collect::<Vec<_>>().join(",")))
            }
            (Failure::Api { status: 404, .. }, _) => {
                let mut body = body.clone();
                match self.dialect.unstreamed {
                    Unstreamed::Said => body["stream"] = json!(false),
                    Unstreamed::Unsaid => drop(body.as_object_mut()?.shift_remove("stream")),
                }
                Some((body, features))
            }
            _ => None,
        }
    }

    /// The look at the host that some versions take when they start.
    pub(crate) fn greet(&self) {
        let Some(agent) = self.dialect.greets_as else {
            return;
        };
        let url = Url {
            host: self.base.host.clone(),
            path: "/".to_owned(),
        };
        if let Ok(mut conn) = Conn::open(&url) {
            let headers = [
                ("User-Agent", agent),
                ("Accept", "*/*"),
                ("Connection", "close"),
            ];
            let _ = conn.send("HEAD", &url, &headers, b"");
            std::thread::spawn(move || conn.head(&Cancel::default()));
        }
    }

    /// The subscription's limit, if that is why the request was rejected.
    fn limit(&self, head: &Head) -> Option<String> {
        let claim = head.header("anthropic-ratelimit-unified-representative-claim")?;
        let resets: u64 = head
            .header("anthropic-ratelimit-unified-reset")?
            .parse()
            .ok()?;
        (head.status == 429 && self.by_token)
            .then(|| ending::limit(claim, resets.saturating_mul(1000), self.dialect.is_new()))
    }

    fn exchange(
        &self,
        body: &Value,
        features: &str,
        cancel: &Cancel,
        sink: &mut dyn FnMut(Bit),
        reader: &mut Reader,
    ) -> Result<(), Failure> {
        let network = |error: std::io::Error| Failure::Network(error.to_string());
        let url = Url {
            host: self.base.host.clone(),
            path: format!(
                "{}/v1/messages?beta=true",
                self.base.path.trim_end_matches('/')
            ),
        };
        let agent = format!("claude-cli/{} (external, {})", self.version, self.entry);
        let named = self.betas.as_deref().unwrap_or_default();
        let features = [features, named].join(if named.is_empty() { "" } else { "," });
        let headers = [
            ("Accept", "application/json"),
            ("Content-Type", "application/json"),
            ("User-Agent", agent.as_str()),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", features.as_str()),
            ("x-app", "cli"),
            ("x-api-key", self.key.as_str()),
            ("Connection", "close"),
        ];
        let mut conn = Conn::open(&url).map_err(network)?;
        conn.send("POST", &url, &headers, js::text(body).as_bytes())
            .map_err(network)?;
        let head = conn.head(cancel).map_err(network)?;
        if let Some(limit) = self.limit(&head) {
            return Err(Failure::Limit(limit));
        }
        if head.status >= 400 {
            let body = conn.rest(cancel).map_err(network)?;
            return Err(api_failure(head.status, &body));
        }
        reader.reply.request_id = request_id(&head);
        if body["stream"] != true {
            let message = conn.rest(cancel).map_err(network)?;
            reader.whole(&serde_json::from_slice(&message).unwrap_or_default(), sink);
            return Ok(());
        }
        while let Some(piece) = conn.piece(cancel).map_err(network)? {
            reader.feed(&piece, sink)?;
            if cancel.is_set() {
                return Err(Failure::Network("interrupted".to_owned()));
            }
        }
        Ok(())
    }
}

fn request_id(head: &Head) -> String {
    head.header("request-id")
        .or_else(|| head.header("x-request-id"))
        .unwrap_or_default()
        .to_owned()
}

fn api_failure(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body).into_owned();
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = parsed["error"]["message"]
        .as_str()
        .unwrap_or(&text)
        .to_owned();
    let kind = parsed["error"]["type"].as_str().map(str::to_owned);
    let body = if parsed.is_object() {
        parsed.to_string()
    } else {
        text
    };
    Failure::Api {
        status,
        kind,
        message,
        body,
        is_event: false,
    }
}

/// Server-sent events in, a message out.
struct Reader {
    reply: Reply,
    inputs: String,
    ahead: Vec<u8>,
}

impl Reader {
    fn new(body: &Value) -> Reader {
        Reader {
            reply: Reply::empty(body["model"].as_str().unwrap_or_default()),
            inputs: String::new(),
            ahead: Vec::new(),
        }
    }

    /// A message that came without a stream.
    fn whole(&mut self, message: &Value, sink: &mut dyn FnMut(Bit)) {
        self.start(message);
        for block in message["content"].as_array().into_iter().flatten() {
            self.reply.blocks.push(block.clone());
            match block["text"].as_str() {
                Some(text) => sink(Bit::Text(text.to_owned())),
                None if block["type"] == "tool_use" => sink(Bit::Tool(block.clone())),
                None => {}
            }
            let so_far = self.reply.so_far(block);
            sink(Bit::Block(so_far, self.reply.request_id.clone()));
        }
        self.finish(&json!({ "delta": message, "usage": message["usage"] }));
    }

    fn feed(&mut self, piece: &[u8], sink: &mut dyn FnMut(Bit)) -> Result<(), Failure> {
        self.ahead.extend_from_slice(piece);
        while let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.ahead.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.strip_prefix("data:") {
                let event: Value = js::read(data.trim());
                self.take(&event, sink)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Value, sink: &mut dyn FnMut(Bit)) -> Result<(), Failure> {
        let kind = event["type"].as_str().unwrap_or_default();
        if !matches!(kind, "content_block_stop" | "error" | "") {
            sink(Bit::Event(event.clone()));
        }
        match kind {
            "message_start" => self.start(&event["message"]),
            "content_block_start" => {
                self.reply.blocks.push(event["content_block"].clone());
                self.inputs.clear();
                if event["content_block"]["type"] == "thinking" {
                    sink(Bit::Thinking);
                }
            }
            "content_block_delta" => self.delta(&event["delta"], sink),
            "content_block_stop" => {
                self.close_block(sink);
                if let Some(block) = self.reply.blocks.last() {
                    let message = self.reply.so_far(block);
                    sink(Bit::Block(message, self.reply.request_id.clone()));
                }
                sink(Bit::Event(event.clone()));
            }
            "message_delta" => self.finish(event),
            "error" => {
                let message = event["error"]["message"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let kind = event["error"]["type"].as_str().unwrap_or_default();
                return Err(Failure::Api {
                    status: status_of(kind),
                    kind: Some(kind.to_owned()),
                    message,
                    body: event.to_string(),
                    is_event: true,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, message: &Value) {
        self.reply.id = message["id"].as_str().unwrap_or_default().to_owned();
        self.reply.usage = message["usage"].clone();
        if let Some(model) = message["model"].as_str() {
            self.reply.model = model.to_owned();
        }
    }

    fn delta(&mut self, delta: &Value, sink: &mut dyn FnMut(Bit)) {
        let Some(block) = self.reply.blocks.last_mut() else {
            return;
        };
        for (kind, field) in [
            ("text_delta", "text"),
            ("thinking_delta", "thinking"),
            ("signature_delta", "signature"),
        ] {
            if delta["type"] == kind {
                let more = delta[field].as_str().unwrap_or_default();
                block[field] = json!(format!(
                    "{}{more}",
                    block[field].as_str().unwrap_or_default()
                ));
                if field == "text" {
                    sink(Bit::Text(more.to_owned()));
                }
            }
        }
        if delta["type"] == "input_json_delta" {
            self.inputs
                .push_str(delta["partial_json"].as_str().unwrap_or_default());
        }
    }

    fn close_block(&mut self, sink: &mut dyn FnMut(Bit)) {
        if let Some(block) = self
            .reply
            .blocks
            .last_mut()
            .filter(|block| block["type"] == "tool_use")
        {
            block["input"] = js::input(&self.inputs).unwrap_or_else(|| json!({}));
            sink(Bit::Tool(block.clone()));
        }
    }

    fn finish(&mut self, event: &Value) {
        self.reply.stop_reason = event["delta"]["stop_reason"].as_str().map(str::to_owned);
        self.reply.stop_sequence = event["delta"]["stop_sequence"].as_str().map(str::to_owned);
        self.reply.usage = with(self.reply.usage.clone(), event["usage"].clone());
    }
}

fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "rate_limit_error" => 429,
        "overloaded_error" => 529,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_make_a_message_however_they_are_cut() {
        let stream = concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"usage\":{\"input_tokens\":3}}}\n\n",
            "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}\"}}\n\n",
            "data: {\"type\":\"content_block_stop\"}\n\n",
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n",
        );
        for cut in 0..stream.len() {
            let mut reader = Reader::new(&json!({ "model": "m" }));
            for part in [&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]] {
                assert!(reader.feed(part, &mut |_| {}).is_ok());
            }
            assert_eq!(reader.reply.text(), "h\u{e9}");
            assert_eq!(
                reader.reply.usage,
                json!({ "input_tokens": 3, "output_tokens": 5 })
            );
        }
    }
}
