// The Vercel AI SDK: a call, a stream, tools, a structured answer.
//
// node vercel.mjs http://127.0.0.1:7421

import { createAnthropic } from "@ai-sdk/anthropic";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const anthropic = createAnthropic({ baseURL: `${process.argv[2]}/v1`, apiKey: "any" });
const common = { model: anthropic("claude-opus-4-8"), maxOutputTokens: 1024, maxRetries: 0 };
const object = (properties) =>
  jsonSchema({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });

const weather = tool({
  description: "Tells the weather of a city.",
  inputSchema: object({ city: { type: "string" } }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const reading = object({ city: { type: "string" }, celsius: { type: "integer" } });
const agent = await generateText({ ...common, prompt: "Weather of Paris?", tools: { weather }, stopWhen: stepCountIs(5) });
const parsed = await generateText({ ...common, prompt: "Read it.", output: Output.object({ schema: reading }) });
const found = {
  call: (await generateText({ ...common, prompt: "Say: sync." })).text,
  async: await streamText({ ...common, prompt: "Say: async." }).text,
  tools: agent.text,
  structured: parsed.output,
};
console.log(JSON.stringify(found));
