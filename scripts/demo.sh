#!/bin/sh
# The main job, once: the shop of examples/ as a git repository, its stack in containers, its integration tests, a verdict.
set -eu

bin=$(cd "${1:?usage: demo.sh BIN}" && pwd)
cd "$(dirname "$0")/.."

"$bin/python" scripts/standins.py

shop=${XDG_CACHE_HOME:-$HOME/.cache}/conductor/demo/shop
rm -rf "$shop"
mkdir -p "$shop"
cp -R examples/shop/. "$shop"
git_in_shop() { git -C "$shop" -c user.name=Demo -c user.email=demo@example.com -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }
git_in_shop init -q -b main
git_in_shop add --all
git_in_shop commit -q -m "The shop"

verdict=0
"$bin/conductor" run "$shop" --no-cleanup || verdict=$?
[ "$verdict" -le 1 ] || exit "$verdict" # no stack to look at: the report says why

cat <<END

The stack is still running. Look at it:

    $bin/conductor stacks list                # which stacks run, and until when
    $bin/conductor runs show                  # the run again, with its stages and tests
    $bin/conductor runs logs                  # what every service and the tests wrote
    $bin/conductor stacks delete --help       # when you have seen enough

The repository is $shop: change something there, then
    $bin/conductor run $shop
END
exit "$verdict"
