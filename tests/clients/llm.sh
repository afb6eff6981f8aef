#!/bin/sh
# The `llm` command line, with its plugin llm-anthropic.
#
# sh llm.sh http://127.0.0.1:7421
set -eu
export ANTHROPIC_BASE_URL="$1" ANTHROPIC_API_KEY=any LLM_USER_PATH="${LLM_USER_PATH:-$(mktemp -d)}"
call=$(llm -m anthropic/claude-opus-4-8 --no-stream 'Say: sync.')
streamed=$(llm -m anthropic/claude-opus-4-8 'Say: async.')
printf '{"call": "%s", "async": "%s"}\n' "$call" "$streamed"
