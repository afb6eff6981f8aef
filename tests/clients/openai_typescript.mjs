// The OpenAI SDK for TypeScript: chat and responses, whole, streamed, with tools, with a structured answer.
//
// node openai_typescript.mjs http://127.0.0.1:7421

import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "any", maxRetries: 0 });
const model = "claude-opus-4-8";
const said = (prompt) => [{ role: "user", content: prompt }];
const properties = { city: { type: "string" }, celsius: { type: "integer" } };
const schema = { type: "object", properties, required: ["city", "celsius"], additionalProperties: false };

const call = await client.chat.completions.create({ model, messages: said("Say: sync.") });
const stream = client.chat.completions.stream({ model, messages: said("Say: async.") });
const runner = client.chat.completions.runTools({
  model,
  messages: said("Weather of Paris?"),
  tools: [
    {
      type: "function",
      function: {
        name: "weather",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        parse: JSON.parse,
        function: ({ city }) => `sunny in ${city}`,
      },
    },
  ],
});
const parsed = await client.chat.completions.create({
  model,
  messages: said("Read it."),
  response_format: { type: "json_schema", json_schema: { name: "reading", schema, strict: true } },
});
const streamed = client.responses.stream({ model, input: "Say: streamed." });
const first = await client.responses.create({ model, input: "Say: sync." });
const next = await client.responses.create({ model, input: "Say: next.", previous_response_id: first.id });
const found = {
  call: call.choices[0].message.content,
  async: await stream.finalContent(),
  tools: await runner.finalContent(),
  structured: JSON.parse(parsed.choices[0].message.content),
  responses: first.output_text,
  responses_stream: (await streamed.finalResponse()).output_text,
  next: next.output_text,
};
console.log(JSON.stringify(found));
