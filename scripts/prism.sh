#!/bin/sh
# Puts Prism, which holds questions and answers against the description of an API, beside Conductor's environment: tests use it.
# Without Node 18 and npm, or where npm reaches no registry, nothing happens: those tests skip, and say so.
set -eu

version=5.16.0
folder=$1/npm
[ -x "$folder/node_modules/.bin/prism" ] && exit 0

node_is_new() { [ "$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')" -ge 18 ] 2>/dev/null; }
if ! command -v npm >/dev/null 2>&1 || ! node_is_new; then
    printf 'prism: not installed, for want of npm and Node 18: some tests will skip\n'
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$folder"
if ! npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error "@stoplight/prism-cli@$version" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf 'prism: not installed: see above; some tests will skip\n'
fi
