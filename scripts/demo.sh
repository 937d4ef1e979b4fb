#!/bin/sh
# The main job, once: the shop of examples/ as a git repository, its stack in containers, its integration tests, a verdict.
set -eu

shown=${1:?usage: demo.sh BIN}/conductor
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

"$bin/python" scripts/standins.py

shop=${XDG_CACHE_HOME:-$HOME/.cache}/conductor/demo/shop
rm -rf "$shop"
mkdir -p "$shop"
cp -R examples/shop/. "$shop"
rm -f "$shop/expected.yaml" # what our own tests compare with
git_in_shop() { git -C "$shop" -c user.name=Demo -c user.email=demo@example.com -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }
git_in_shop init -q -b main
git_in_shop add --all
git_in_shop commit -q -m "The shop"

verdict=0
"$bin/conductor" run "$shop" --no-cleanup --publish frontend:80 --publish mailhog:8025 || verdict=$?
[ "$verdict" -le 1 ] || exit "$verdict" # no stack to look at: the report says why

run=$("$bin/conductor" runs list --limit 1 --json | "$bin/python" -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])' 2>/dev/null || echo RUN)
cat <<END

The stack is still running. Look at it:

    $shown runs show                             # the report again
    $shown runs logs $run backend       # what a service wrote; it stays when the stack has gone
    $shown stacks open $run frontend:80 # the shop's page, until Ctrl-C; the mails are at mailhog:8025
    $shown stacks exec $run redis redis-cli HGETALL stock
    $shown stacks delete $run           # when you have seen enough; by itself it ends in two hours

Or break something in $shop, and run it again:

    $shown run $shop
END
exit "$verdict"
