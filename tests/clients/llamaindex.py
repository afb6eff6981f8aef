"""LlamaIndex: a call, a stream, tools.

python llamaindex.py http://127.0.0.1:7421
"""

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.anthropic import Anthropic

model = Anthropic(model="claude-opus-4-8", base_url=sys.argv[1], api_key="any", max_tokens=1024, max_retries=0)


def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"sunny in {city}"


tool = FunctionTool.from_defaults(weather)
answer = model.predict_and_call([tool], user_msg="Weather of Paris?")
print(
    json.dumps(
        {
            "call": model.complete("Say: sync.").text,
            "async": "".join(piece.delta or "" for piece in model.stream_chat([ChatMessage(content="Say: async.")])),
            "tools": str(answer),
        }
    )
)
