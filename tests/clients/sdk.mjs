// What a TypeScript program sees of the relay through the SDK, as JSON.

import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const common = { model: "claude-opus-4-8", max_tokens: 1024 };
const said = (prompt) => [{ role: "user", content: prompt }];

const pieces = [];
const stream = client.messages.stream({ ...common, messages: said("Count.") });
stream.on("text", (text) => pieces.push(text));
const final = await stream.finalMessage();
const buffered = await client.messages.create({ ...common, messages: said("What is\tleft?") });
let rejection = null;
try {
  await client.messages.create({ ...common, messages: said("Reject.") });
} catch (error) {
  rejection = error;
}
const tokens = await client.messages.countTokens({ model: common.model, messages: said("Count.") });
const models = await client.models.list();
const found = {
  streamed: pieces.join(""),
  pieces: pieces.length > 1,
  stop: final.stop_reason,
  final: final.content[0].text,
  buffered: buffered.content[0].text,
  status: rejection.status,
  message: rejection.message.includes("in words"),
  request: rejection.requestID.startsWith("req_"),
  models: models.data.length > 0,
  tokens: tokens.input_tokens > 0,
};
console.log(JSON.stringify(found));
