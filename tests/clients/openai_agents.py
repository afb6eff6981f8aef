"""The OpenAI Agents SDK: ten rounds of tools, three calls at once in some of them, over chat and over responses.

python openai_agents.py http://127.0.0.1:7421
"""

import asyncio
import json
import sys

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=sys.argv[1] + "/v1", api_key="any", max_retries=0)
taken = []


@function_tool
def step(round: int, part: int) -> str:
    """Takes one step."""
    taken.append((round, part))
    return f"step {round}.{part}\tis taken\n"


async def run(kind):
    taken.clear()
    agent = Agent(name="walker", model=kind("claude-opus-4-8", client), tools=[step])
    result = await Runner.run(agent, "Take ten rounds.", max_turns=20)
    return {"said": result.final_output, "steps": len(taken)}


async def both():
    return {"chat": await run(OpenAIChatCompletionsModel), "responses": await run(OpenAIResponsesModel)}


print(json.dumps(asyncio.run(both())))
