"""LangChain: a call, a stream, tools, a structured answer.

python langchain_client.py http://127.0.0.1:7421
"""

import json
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

model = ChatAnthropic(
    model="claude-opus-4-8", base_url=sys.argv[1], api_key="any", max_tokens=1024, max_retries=0
)


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


class Reading(BaseModel):
    """What the thermometer says."""

    city: str
    celsius: int


with_tools = model.bind_tools([weather])
asked = HumanMessage("Weather of Paris?")
answer = with_tools.invoke([asked])
results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]
structured = model.with_structured_output(Reading, method="json_schema")
print(
    json.dumps(
        {
            "call": model.invoke("Say: sync.").text,
            "async": "".join(piece.text for piece in model.stream("Say: async.")),
            "tools": with_tools.invoke([asked, answer, *results]).text,
            "structured": structured.invoke("Read it.").model_dump(),
        }
    )
)
