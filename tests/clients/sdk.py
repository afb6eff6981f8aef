"""What a Python program sees of the relay through the SDK, as JSON."""

import json
import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
common = {"model": "claude-opus-4-8", "max_tokens": 1024}


def said(prompt):
    return [{"role": "user", "content": prompt}]


with client.messages.stream(messages=said("Count."), **common) as stream:
    pieces = list(stream.text_stream)
    final = stream.get_final_message()
buffered = client.messages.create(messages=said("What is\tleft?"), **common)
try:
    client.messages.create(messages=said("Reject."), **common)
    rejection = None
except anthropic.BadRequestError as error:
    rejection = error
tokens = client.messages.count_tokens(model=common["model"], messages=said("Count."))
print(
    json.dumps(
        {
            "streamed": "".join(pieces),
            "pieces": len(pieces) > 1,
            "stop": final.stop_reason,
            "final": final.content[0].text,
            "buffered": buffered.content[0].text,
            "status": rejection.status_code,
            "message": "in words" in rejection.message,
            "request": rejection.request_id.startswith("req_"),
            "models": len(client.models.list().data) > 0,
            "tokens": tokens.input_tokens > 0,
        }
    )
)
