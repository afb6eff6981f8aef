"""An agent loop with the Python SDK's tool runner: ten rounds, three of them with parallel calls.

python loop.py http://127.0.0.1:7421
"""

import json
import sys

import anthropic
from anthropic import beta_tool

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
calls = []


@beta_tool
def step(round: int, part: int) -> str:
    """Takes one step.

    Args:
        round: Which round it belongs to.
        part: Which of its round's steps it is.
    """
    calls.append([round, part])
    return f"step {round}.{part}\tis taken\n"


runner = client.beta.messages.tool_runner(
    model="claude-opus-4-8",
    max_tokens=1024,
    tools=[step],
    messages=[{"role": "user", "content": "Take ten rounds of steps."}],
)
last = runner.until_done()
print(json.dumps({"calls": calls, "text": last.content[0].text, "stop": last.stop_reason}))
