// The Vercel AI SDK's two ways to an OpenAI server: responses, and chat.
//
// node vercel_openai.mjs http://127.0.0.1:7421

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const baseURL = `${process.argv[2]}/v1`;
const openai = createOpenAI({ baseURL, apiKey: "any" });
const compatible = createOpenAICompatible({ name: "relay", baseURL, apiKey: "any", supportsStructuredOutputs: true });
const object = (properties) =>
  jsonSchema({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const weather = tool({
  description: "Tells the weather of a city.",
  inputSchema: object({ city: { type: "string" } }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const reading = object({ city: { type: "string" }, celsius: { type: "integer" } });

const tries = async (model) => {
  const common = { model, maxRetries: 0 };
  const agent = await generateText({ ...common, prompt: "Weather of Paris?", tools: { weather }, stopWhen: stepCountIs(5) });
  const parsed = await generateText({ ...common, prompt: "Read it.", output: Output.object({ schema: reading }) });
  return {
    call: (await generateText({ ...common, prompt: "Say: sync." })).text,
    async: await streamText({ ...common, prompt: "Say: async." }).text,
    tools: agent.text,
    structured: parsed.output,
  };
};
const found = { responses: await tries(openai("claude-opus-4-8")), chat: await tries(compatible("claude-opus-4-8")) };
console.log(JSON.stringify(found));
