"""LangChain's OpenAI client: a call, a stream, tools, a structured answer.

python langchain_openai_client.py http://127.0.0.1:7421
"""

import asyncio
import json
import sys

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

model = ChatOpenAI(base_url=sys.argv[1] + "/v1", api_key="any", model="claude-opus-4-8", max_retries=0)


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


class Reading(BaseModel):
    city: str
    celsius: int


async def asynchronous():
    return "".join([chunk.content async for chunk in model.astream("Say: async.")])


def tools():
    able = model.bind_tools([weather])
    messages = [HumanMessage("Weather of Paris?")]
    answer = able.invoke(messages)
    while answer.tool_calls:
        messages += [answer, *[weather.invoke(call) for call in answer.tool_calls]]
        answer = able.invoke(messages)
    return answer.content


print(
    json.dumps(
        {
            "call": model.invoke("Say: sync.").content,
            "async": asyncio.run(asynchronous()),
            "tools": tools(),
            "structured": model.with_structured_output(Reading, method="json_schema").invoke("Read it.").model_dump(),
        }
    )
)
