"""Every answer and event of the relay against the types of OpenAI's own SDK, which are made from its specification.

Prints how many were checked, and each field that the types do not know or miss. `python openai_shapes.py BASE_URL`
"""

import json
import re
import sys
import urllib.error
import urllib.request

from openai.pagination import SyncPage
from openai.types import Completion, FileDeleted, FileObject, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.conversations import Conversation, ConversationDeletedResource
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter, ValidationError

# What the types do not hold though it is right, each with its reason.
KNOWN = (
    r"^completion, streamed: .*'finish_reason'",  # null until the end, as the API says it
    r"^models?(\.data\.\d+)?\.(type|display_name|created_at|first_id|last_id|has_more) ",  # the list of both dialects
    r"\.store is unknown$",  # the API tells it
    r"with a tool, streamed\.name is unknown$",  # of arguments.done: in the specification, not in the types
)

base = sys.argv[1].rstrip("/") + "/v1"
checked, wrong = 0, []


def unknown(value, path):
    """Fields that the types have no name for."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name} is unknown"
        for name in value.__class__.model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from unknown(inner, f"{path}.{at}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from unknown(inner, f"{path}.{name}")


def check(what, kind, value):
    global checked
    checked += 1
    try:
        found = list(unknown(TypeAdapter(kind).validate_python(value), what))
    except ValidationError as error:
        found = [f"{what}: {one['loc']} {one['msg']}" for one in error.errors()[:3]]
    wrong.extend(one for one in found if not any(re.search(known, one) for known in KNOWN))
    return value


def ask(method, path, body=None, content="application/json"):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"content-type": content}, method=method)
    try:
        return urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        return error


def whole(what, kind, method, path, body=None, **more):
    answer = ask(method, path, body, **more)
    text = answer.read()
    if answer.status != 200:
        wrong.append(f"{what}: {answer.status} {text[:200]}")
        return {}
    return check(what, kind, json.loads(text))


def refused(what, path, body):
    answer = ask("POST", path, body)
    check(f"{what} ({answer.status})", ErrorObject, json.loads(answer.read())["error"])


def streamed(what, kind, path, body):
    for record in ask("POST", path, {**body, "stream": True}).read().decode().split("\n\n"):
        data = "".join(line[5:].strip() for line in record.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            check(what, kind, json.loads(data))


def tool(strict):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"name": "weather", "description": "Tells the weather.", "parameters": schema, "strict": strict}


FORMAT = {
    "name": "weather",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}, "celsius": {"type": "integer"}},
               "required": ["city", "celsius"], "additionalProperties": False},
}
SAY = [{"role": "user", "content": "Say: words"}]
WEATHER = [{"role": "user", "content": "Weather of Paris?"}]
model = {"model": "sonnet"}

chats = {
    "chat": {"messages": SAY},
    "chat with its usage": {"messages": SAY, "stream_options": {"include_usage": True}},
    "chat with a tool": {"messages": WEATHER, "tools": [{"type": "function", "function": tool(False)}]},
    "chat in a form": {"messages": SAY, "response_format": {"type": "json_schema", "json_schema": FORMAT}},
    "chat with metadata": {"messages": SAY, "store": True, "metadata": {"a": "b"}, "max_completion_tokens": 100},
}
responses = {
    "response": {"input": "Say: words"},
    "response with instructions": {"input": SAY, "instructions": "Be short.", "metadata": {"a": "b"}},
    "response with a tool": {"input": WEATHER, "tools": [{"type": "function", **tool(False)}]},
    "response in a form": {"input": SAY, "text": {"format": {"type": "json_schema", **FORMAT}}},
    "response that is not kept": {"input": SAY, "store": False, "max_output_tokens": 100},
}
for what, body in chats.items():
    plain = {name: value for name, value in body.items() if name != "stream_options"}
    whole(what, ChatCompletion, "POST", "/chat/completions", {**model, **plain})
    streamed(f"{what}, streamed", ChatCompletionChunk, "/chat/completions", {**model, **body})
for what, body in responses.items():
    whole(what, Response, "POST", "/responses", {**model, **body})
    streamed(f"{what}, streamed", ResponseStreamEvent, "/responses", {**model, **body})

kept = whole("response to keep", Response, "POST", "/responses", {**model, "input": "Say: one"})
again = {**model, "input": "Say: two", "previous_response_id": kept.get("id")}
whole("response that goes on", Response, "POST", "/responses", again)
whole("response that was kept", Response, "GET", f"/responses/{kept.get('id')}")
whole("items of a response", ResponseItemList, "GET", f"/responses/{kept.get('id')}/input_items")

talk = whole("conversation", Conversation, "POST", "/conversations", {"metadata": {"a": "b"}})
within = {**model, "input": "Say: one", "conversation": talk.get("id")}
whole("response in a conversation", Response, "POST", "/responses", within)
whole("conversation that was kept", Conversation, "GET", f"/conversations/{talk.get('id')}")
whole("conversation that goes", ConversationDeletedResource, "DELETE", f"/conversations/{talk.get('id')}")

whole("completion", Completion, "POST", "/completions", {**model, "prompt": "Say: words"})
streamed("completion, streamed", Completion, "/completions", {**model, "prompt": "Say: words"})
models = whole("models", SyncPage[Model], "GET", "/models")
whole("model", Model, "GET", f"/models/{models['data'][0]['id']}" if models.get("data") else "/models/none")

form = (
    b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\nwords\r\n--b--\r\n'
)
file = whole("file", FileObject, "POST", "/files", form, content="multipart/form-data; boundary=b")
whole("file that was kept", FileObject, "GET", f"/files/{file.get('id')}")
whole("file that goes", FileDeleted, "DELETE", f"/files/{file.get('id')}")

refused("chat without messages", "/chat/completions", model)
refused("response without an input", "/responses", {**model, "input": 7})
refused("a temperature in words", "/chat/completions", {**model, "messages": SAY, "temperature": "warm"})
refused("a response before that never was", "/responses", {**model, "input": "a", "previous_response_id": "resp_none"})

print(json.dumps({"checked": checked, "wrong": sorted(set(wrong))}))
