"""LangChain's own standard tests of a chat model: which of them pass at an address, and which at others.

python langchain_standard.py http://127.0.0.1:7421 openai|responses|anthropic MODEL[@ADDRESS] …
"""

import base64
import json
import logging
import sys
from types import SimpleNamespace

import httpx
import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests

ADDRESS, KIND, *MODELS = (word for word in sys.argv[1:] if word != "--why")
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
logging.disable(logging.CRITICAL)


def fetched(url, **_):
    """The tests fetch a picture and a paper from the network; here is one of each."""
    content = b"%PDF-1.4\n%%EOF\n" if str(url).endswith(".pdf") else PICTURE
    return SimpleNamespace(content=content, status_code=200, raise_for_status=lambda: None)


httpx.get = fetched


def client(address):
    if KIND == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic, {"base_url": address, "max_tokens": 1024}
    from langchain_openai import ChatOpenAI

    return ChatOpenAI, {"base_url": address + "/v1", "use_responses_api": KIND == "responses"}


class Standard(ChatModelIntegrationTests):
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_json_mode = KIND != "anthropic"
    supports_anthropic_inputs = KIND == "anthropic"
    supports_model_override = True
    enable_vcr_tests = False
    chat_model_class = None
    chat_model_params = {}


def standard_at(name):
    model, _, address = name.partition("@")
    kind, where = client(address or ADDRESS)
    parameters = {"model": model, "api_key": "any", "max_retries": 0, **where}
    fields = {"chat_model_class": kind, "chat_model_params": parameters, "model_override_value": model}
    return type("TestStandard", (Standard,), {"__module__": __name__, **fields})


del ChatModelIntegrationTests
for place, name in enumerate(MODELS):
    globals()[f"Test{place}"] = standard_at(name)


class Outcomes:
    def __init__(self):
        self.told = {}

    def pytest_runtest_logreport(self, report):
        _, place, name = report.nodeid.split("::")
        told = self.told.setdefault(MODELS[int(place.removeprefix("Test"))].partition("@")[0], {})
        if report.when == "call" or report.outcome == "skipped":
            xfailed = hasattr(report, "wasxfail")
            told[name] = "skipped" if xfailed else report.outcome
        elif report.failed:
            told[name] = "failed"
        if report.failed and "--why" in sys.argv:
            print(report.longreprtext[-1500:], file=sys.stderr)


if __name__ == "__main__":
    outcomes = Outcomes()
    plugins = ["terminal", "cacheprovider", "benchmark", "codspeed", "recording", "warnings"]
    arguments = [word for name in plugins for word in ("-p", f"no:{name}")]
    arguments += ["--capture=sys", "--asyncio-mode=auto", "--rootdir=/", __file__]
    # The clients keep connections, which belong to one loop.
    arguments += ["-o", "asyncio_default_test_loop_scope=session"]
    pytest.main(arguments, plugins=[outcomes])
    print(json.dumps(outcomes.told))
