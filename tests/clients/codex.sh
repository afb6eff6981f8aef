#!/bin/sh
# The Codex CLI itself: it looks at and edits a file of a scratch project, and its model is behind the relay.
#
# sh codex.sh http://127.0.0.1:7421
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/home" "$scratch/project"
cat >"$scratch/home/config.toml" <<EOT
model = "claude-opus-4-8"
model_provider = "relay"
[model_providers.relay]
name = "relay"
base_url = "$1/v1"
env_key = "RELAY_KEY"
wire_api = "responses"
EOT
cd "$scratch/project"
printf 'alpha\nsecond line\n' >notes.txt
HOME="$scratch/home" CODEX_HOME="$scratch/home" RELAY_KEY=any codex exec --skip-git-repo-check \
    --dangerously-bypass-approvals-and-sandbox -o "$scratch/said" \
    "Codex, edit notes.txt: alpha becomes beta." </dev/null >"$scratch/log" 2>&1 || cat "$scratch/log" >&2
printf '{"said": "%s", "file": "%s"}\n' "$(cat "$scratch/said")" "$(tr '\n' ';' <notes.txt)"
