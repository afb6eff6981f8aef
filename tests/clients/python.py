"""The Python SDK: a call, asyncio, a tool runner, a structured answer.

python python.py http://127.0.0.1:7421
"""

import asyncio
import json
import sys

import anthropic
from anthropic import beta_tool
from pydantic import BaseModel

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
common = {"model": "claude-opus-4-8", "max_tokens": 1024}


def said(prompt):
    return [{"role": "user", "content": prompt}]


async def asynchronous():
    client = anthropic.AsyncAnthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
    async with client.messages.stream(messages=said("Say: async."), **common) as stream:
        return "".join([text async for text in stream.text_stream])


@beta_tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


class Reading(BaseModel):
    city: str
    celsius: int


runner = client.beta.messages.tool_runner(messages=said("Weather of Paris?"), tools=[weather], **common)
parsed = client.messages.parse(messages=said("Read it."), output_format=Reading, **common)
print(
    json.dumps(
        {
            "call": client.messages.create(messages=said("Say: sync."), **common).content[0].text,
            "async": asyncio.run(asynchronous()),
            "tools": runner.until_done().content[0].text,
            "structured": parsed.parsed_output.model_dump(),
        }
    )
)
