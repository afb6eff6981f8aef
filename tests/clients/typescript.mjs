// The TypeScript SDK: a call, a stream, a tool runner, a structured answer.
//
// node typescript.mjs http://127.0.0.1:7421

import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const common = { model: "claude-opus-4-8", max_tokens: 1024 };
const said = (prompt) => [{ role: "user", content: prompt }];

const call = await client.messages.create({ ...common, messages: said("Say: sync.") });
const stream = client.messages.stream({ ...common, messages: said("Say: async.") });
const weather = betaTool({
  name: "weather",
  description: "Tells the weather of a city.",
  inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  run: ({ city }) => `sunny in ${city}`,
});
const runner = client.beta.messages.toolRunner({ ...common, messages: said("Weather of Paris?"), tools: [weather] });
const properties = { city: { type: "string" }, celsius: { type: "integer" } };
const schema = { type: "object", properties, required: ["city", "celsius"], additionalProperties: false };
const parsed = await client.messages.parse({
  ...common,
  messages: said("Read it."),
  output_config: { format: jsonSchemaOutputFormat(schema) },
});
const found = {
  call: call.content[0].text,
  async: await stream.finalText(),
  tools: (await runner.runUntilDone()).content[0].text,
  structured: parsed.parsed_output,
};
console.log(JSON.stringify(found));
