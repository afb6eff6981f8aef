"""The OpenAI SDK for Python: chat and responses, whole, streamed, with tools, with a structured answer.

python openai_python.py http://127.0.0.1:7421
"""

import asyncio
import json
import sys

import openai
from pydantic import BaseModel

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
model = "claude-opus-4-8"


class Reading(BaseModel):
    city: str
    celsius: int


def said(prompt):
    return [{"role": "user", "content": prompt}]


parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


async def chat_async():
    client = openai.AsyncOpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
    async with client.chat.completions.stream(model=model, messages=said("Say: async.")) as stream:
        async for _ in stream:
            pass
        return (await stream.get_final_completion()).choices[0].message.content


def chat_tools():
    tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    messages = said("Weather of Paris?")
    while True:
        choice = client.chat.completions.create(model=model, messages=messages, tools=tools).choices[0]
        if choice.finish_reason != "tool_calls":
            return choice.message.content
        messages.append(choice.message)
        for call in choice.message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"})


def responses_tools():
    tools = [{"type": "function", "name": "weather", "parameters": parameters, "strict": False}]
    response = client.responses.create(model=model, input="Weather of Paris?", tools=tools)
    while calls := [item for item in response.output if item.type == "function_call"]:
        results = [
            {"type": "function_call_output", "call_id": call.call_id,
             "output": f"sunny in {json.loads(call.arguments)['city']}"}
            for call in calls
        ]
        response = client.responses.create(model=model, input=results, tools=tools, previous_response_id=response.id)
    return response.output_text


def responses_stream():
    with client.responses.stream(model=model, input="Say: streamed.") as stream:
        for _ in stream:
            pass
        return stream.get_final_response().output_text


def remembered():
    conversation = client.conversations.create()
    client.responses.create(model=model, input="Say: one.", conversation=conversation.id)
    client.responses.create(model=model, input="Say: two.", conversation=conversation.id)
    return len(client.conversations.items.list(conversation.id, order="asc").data)


def usage():
    options = {"include_usage": True}
    stream = client.chat.completions.create(model=model, messages=said("Say: x"), stream=True, stream_options=options)
    return [chunk.usage.total_tokens > 0 for chunk in stream if chunk.usage]


parsed = client.chat.completions.parse(model=model, messages=said("Read it."), response_format=Reading)
read = client.responses.parse(model=model, input="Read it.", text_format=Reading)
print(
    json.dumps(
        {
            "call": client.chat.completions.create(model=model, messages=said("Say: sync.")).choices[0].message.content,
            "async": asyncio.run(chat_async()),
            "tools": chat_tools(),
            "structured": parsed.choices[0].message.parsed.model_dump(),
            "usage": usage(),
            "responses": client.responses.create(model=model, input="Say: sync.").output_text,
            "responses_stream": responses_stream(),
            "responses_tools": responses_tools(),
            "responses_structured": read.output_parsed.model_dump(),
            "conversation": remembered(),
        }
    )
)
