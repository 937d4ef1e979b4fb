#!/bin/sh
# Makes the virtual environment VENV with all that Conductor and its tests need, from the locked requirements.
# Needs Python 3.11 or newer; brings uv along where there is none. Package indexes are those that pip or uv are set up for here.
set -eu

venv=${1:?usage: setup.sh VENV}
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never

say() { printf '%s\n' "$*"; }
give_up() { say "setup: $*" >&2; exit 2; }
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "setup: installing $* (apt-get) ..."
    log=$(mktemp)
    if apt-get update -q >"$log" 2>&1 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >>"$log" 2>&1; then
        rm -f "$log"
        return
    fi
    tail -n 20 "$log" >&2
    rm -f "$log"
    give_up "apt-get could not install $*: see above"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for python in python3 python3.11 python3.12 python3.13 python3.14; do
        if command -v "$python" >/dev/null 2>&1 && new_enough "$python"; then
            command -v "$python"
            return
        fi
    done
}

# Prints what pip is told under a key, by whichever of its files (`pip config get` overlooks some).
pip_setting() { "$python" -m pip config list 2>/dev/null | sed -n "s/^[a-z]*\.$1='\(.*\)'\$/\1/p" | tail -n 1; }

# What pip is set up for on this machine counts for uv too, unless uv has an index of its own.
adopt_pip_configuration() {
    [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] && return
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
}

# So do the certificates that this machine trusts.
adopt_certificates() {
    certificates=${PIP_CERT:-$(pip_setting cert)}
    if [ -n "$certificates" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE="$certificates"; fi
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS=1; fi
}

# uv, in a place of its own: neither the system's Python nor the user's is changed.
bring_uv() {
    home=${XDG_CACHE_HOME:-$HOME/.cache}/conductor/uv
    if ! "$home/bin/uv" --version >/dev/null 2>&1; then
        if ! "$python" -m pip --version >/dev/null 2>&1; then
            may_install || give_up "there is neither uv nor pip: install one of them, then run again"
            apt_install python3-pip ca-certificates
        fi
        say "setup: fetching uv ..."
        rm -rf "$home"
        "$python" -m pip install --quiet --disable-pip-version-check --target "$home" uv
    fi
    uv=$home/bin/uv
}

python=$(find_python)
if [ -z "$python" ]; then
    may_install || give_up "Python 3.11 or newer is needed"
    apt_install python3
    python=$(find_python)
    [ -n "$python" ] || give_up "this system's Python is older than 3.11: install a newer one"
fi

uv=uv
uv --version >/dev/null 2>&1 || bring_uv
adopt_pip_configuration
adopt_certificates

say "setup: $venv ($("$python" --version))"
"$uv" venv --quiet --allow-existing --python "$python" "$venv"
"$uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements/dev.lock
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
say "setup: $venv/bin/conductor is ready"
