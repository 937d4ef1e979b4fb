#!/bin/sh
# Puts Prism, which holds questions and answers against the description of an API, beside Conductor's environment, with GitHub's own
# description of its API and payloads that it really sent: tests use them.
# Without Node 18 and npm, or where npm reaches no registry, nothing happens: those tests skip, and say so.
set -eu

packages='@stoplight/prism-cli@5.16.0 @octokit/openapi@23.0.2 @octokit/webhooks-examples@7.6.1'
folder=$1/npm
modules=$folder/node_modules
[ -x "$modules/.bin/prism" ] && [ -d "$modules/@octokit/openapi" ] && [ -d "$modules/@octokit/webhooks-examples" ] && exit 0

node_is_new() { [ "$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')" -ge 18 ] 2>/dev/null; }
if ! command -v npm >/dev/null 2>&1 || ! node_is_new; then
    printf 'prism: not installed, for want of npm and Node 18: some tests will skip\n'
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$folder"
# shellcheck disable=SC2086 -- several words
if ! npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error $packages >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf 'prism: not installed: see above; some tests will skip\n'
fi
