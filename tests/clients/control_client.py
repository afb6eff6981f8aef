"""The whole story of an operator by a client that openapi-python-client makes of the relay's own document.

Arguments: the control plane's address, the admin token, the API's address, and a host's address.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

control, token, api, host = sys.argv[1:5]
made = tempfile.mkdtemp()
subprocess.run(
    [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--overwrite",
     "--url", f"{control}/api/v1/openapi.json", "--output-path", f"{made}/relay_client"],
    check=True, capture_output=True)
sys.path.insert(0, made)
client = importlib.import_module("relay_client").AuthenticatedClient(base_url=control, token=token)
models = importlib.import_module("relay_client.models")


def ask(tag, operation, status=200, **arguments):
    module = importlib.import_module(f"relay_client.api.{tag}.{operation}")
    answer = module.sync_detailed(client=client, **arguments)
    assert answer.status_code == status, (operation, answer.status_code, answer.content)
    return answer.parsed


def body(operation, value):
    return getattr(models, operation).from_dict(value)


def put(tag, kind, name, spec, status=201, **arguments):
    value = body(f"Put{kind}NameBody", {"spec": spec})
    return ask(tag, f"put_{tag}_name", status, name=name, body=value, **arguments)


def call(key):
    """A call's status, and the code of its failure."""
    request = urllib.request.Request(
        f"{api}/v1/messages", method="POST",
        data=json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}).encode(),
        headers={"x-api-key": key, "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, "", answer.headers["request-id"]
    except urllib.error.HTTPError as error:
        return error.code, error.headers["x-relay-error"], error.headers["request-id"]


def until(wanted, look):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = look()
        if found[:2] == wanted:
            return found
        time.sleep(0.05)
    raise SystemExit(f"still not {wanted}: {found}")


first = put("hosts", "Hosts", "mock", {"url": host, "network": "private"})
assert first.etag and first.metadata.name == "mock"
again = put("hosts", "Hosts", "mock", {"url": host, "network": "private"}, 412, if_match='"another"')
assert isinstance(again, models.Problem), again
wrong = put("hosts", "Hosts", "bad", {"url": "ftp://x"}, 422)
assert wrong.errors, wrong
put("host_keys", "HostKeys", "mock-a", {"host": "mock", "value": {"secret": "mock-a"}})
ask("host_keys", "post_host_keys_name_value", name="mock-a",
    body=body("PostHostKeysNameValueBody", {"value": "sk-good"}))
put("models", "Models", "m", {"price": {"currency": "USD", "input": 2.5, "output": 10}})
put("bindings", "Bindings", "b", {"model": "m", "lane": "http:mock", "adapter": "anthropic", "upstreamName": "up"})
put("policies", "Policies", "team", {"models": ["m"], "budget": {"amount": 5, "per": "month"}})
minted = ask("relay_keys", "post_relay_keys", 201,
             body=body("PostRelayKeysBody", {"name": "app", "policy": "team"}))
key = minted.to_dict()["key"]
served = until((200, ""), lambda: call(key))
route = ask("route", "get_route", model="m", key="app").to_dict()
ask("relay_keys", "patch_relay_keys_name", name="app",
    body=body("PatchRelayKeysNameBody", {"expires_in_s": None}))
fresh = ask("relay_keys", "post_relay_keys_name_rotate", name="app",
            body=body("PostRelayKeysNameRotateBody", {"overlap_s": 0})).to_dict()["key"]
rotated = [until((401, "key_expired"), lambda: call(key))[:2], until((200, ""), lambda: call(fresh))[:2]]
key = fresh
ask("relay_keys", "patch_relay_keys_name", name="app",
    body=body("PatchRelayKeysNameBody", {"disabled": True}))
disabled = until((401, "key_disabled"), lambda: call(key))[:2]
refused = ask("refused", "get_refused").to_dict()["items"]
deadline = time.monotonic() + 30
while True:
    story = importlib.import_module("relay_client.api.calls.get_calls_id").sync_detailed(client=client, id=served[2])
    if story.status_code == 200 or time.monotonic() > deadline:
        break
    time.sleep(0.05)
usage = ask("usage", "get_usage_summary", by="model").to_dict()
# A whole set of rows: compared, tried, applied, exported.
late = {"items": [{"kind": "Model", "metadata": {"name": "late"}, "spec": {"aliases": ["later"]}}]}


def changed(told):
    return [change["name"] for change in told.to_dict()["changes"]]


diff = changed(ask("catalog", "post_catalog_diff", body=body("PostCatalogDiffJsonBody", late)))
changed(ask("catalog", "post_catalog_apply", body=body("PostCatalogApplyJsonBody", late), dry_run="true"))
ask("models", "get_models_name", 404, name="late")
applied = changed(ask("catalog", "post_catalog_apply", body=body("PostCatalogApplyJsonBody", late)))
ask("models", "get_models_name", name="late")
exported = ask("catalog", "get_catalog_export", format_="json").to_dict()["items"]
audit = ask("audit", "get_audit").to_dict()
ask("bindings", "delete_bindings_name", name="b")
ask("models", "get_models_name", name="m")
ask("bindings", "get_bindings_name", 404, name="b")
print(json.dumps({
    "served": served[0],
    "route": bool(route),
    "rotated": rotated,
    "refused": {"key_expired", "key_disabled"} <= {one["code"] for one in refused},
    "disabled": disabled,
    "story": story.status_code,
    "usage": "m" in json.dumps(usage),
    "diff": diff,
    "dry": 404,
    "applied": applied,
    "exported": {"mock", "mock-a", "m", "b", "team", "late"} <= {row["metadata"]["name"] for row in exported},
    "audited": all(name in json.dumps(audit) for name in ["mock-a", "team", "app", "late"]),
    "secret in the audit": "sk-good" in json.dumps(audit) or key in json.dumps(audit),
}))
