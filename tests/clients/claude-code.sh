#!/bin/sh
# Claude Code itself: it reads and edits a file of a scratch project, and its model is behind the relay.
#
# sh claude-code.sh http://127.0.0.1:7421
set -eu
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
printf 'alpha\nsecond line\n' >"$project/notes.txt"
cd "$project"
said=$(HOME="$project" ANTHROPIC_BASE_URL="$1" ANTHROPIC_AUTH_TOKEN=any DISABLE_AUTOUPDATER=1 \
    claude -p "In $project edit notes.txt now." --permission-mode acceptEdits </dev/null)
printf '{"said": "%s", "file": "%s"}\n' "$said" "$(tr '\n' ';' <notes.txt)"
