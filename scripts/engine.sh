#!/bin/sh
# Makes sure that this machine has git and a container engine: Docker, or Podman with what its networks and containers need.
# Where nothing is there, Podman is installed from the distribution (apt-get, as root). Nothing is started: Conductor does that itself.
set -eu

for_tests=${1:-} # `tests`: also what only tests need
PATH=$PATH:/usr/sbin:/usr/local/sbin
export PATH

has() { command -v "$1" >/dev/null 2>&1; }
has_file() { for file in "$@"; do [ -e "$file" ] && return 0; done; return 1; }

engine_is_named_or_answers() {
    [ -n "${DOCKER_HOST:-}" ] || [ -n "${CONDUCTOR_DOCKER_HOST:-}" ] || [ -S /var/run/docker.sock ] ||
        [ -S "${HOME:-/}/.docker/run/docker.sock" ] || [ -S "${XDG_RUNTIME_DIR:-/nowhere}/docker.sock" ]
}

lacking_for_tests() {
    has busybox || echo busybox-static
    has chromium || has google-chrome || echo chromium fonts-dejavu-core
    has docker-registry || echo docker-registry
    has openssl || echo openssl
    has prometheus || echo prometheus
    has prometheus-pushgateway || echo prometheus-pushgateway
    has initdb || has_file /usr/lib/postgresql/*/bin/initdb || echo postgresql
}

# Prints the Debian packages that Podman lacks here: a runtime that works on hybrid cgroups, networks, names, init.
lacking() {
    has git || echo git
    [ "$for_tests" != tests ] || lacking_for_tests
    engine_is_named_or_answers && return
    has podman || echo podman
    has runc || echo runc
    has iptables || echo iptables
    has_file /usr/libexec/podman/netavark /usr/lib/podman/netavark /usr/lib/cni/bridge /opt/cni/bin/bridge || echo netavark
    has_file /usr/libexec/podman/aardvark-dns /usr/lib/podman/aardvark-dns /usr/lib/cni/dnsname /opt/cni/bin/dnsname ||
        echo aardvark-dns
    has_file /usr/libexec/podman/catatonit /usr/bin/catatonit || echo catatonit
    if [ "$(id -u)" != 0 ]; then
        has newuidmap || echo uidmap
        has slirp4netns || has pasta || echo slirp4netns
    fi
}

packages=$(lacking | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ] || ! has apt-get; then
    if has git && has podman; then exit 0; fi # whoever set it up may have put the rest elsewhere: `conductor doctor` tells
    printf 'engine: this machine lacks: %s\nInstall Docker, or these packages, then run again.\n' "$packages" >&2
    exit 4
fi

printf 'engine: installing %s(apt-get) ...\n' "$packages"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d made=
trap 'rm -f "$log" $made' EXIT
case $packages in
*docker-registry* | *postgresql* | *prometheus*) # tests run processes of them; as services they start neither now nor with the machine
    if [ ! -e $policy ]; then
        made=$policy
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
    fi
    ;;
esac
if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ca-certificates $packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    printf 'engine: apt-get could not install %s: see above\n' "$packages" >&2
    exit 4
fi
case $packages in *docker-registry*) update-rc.d docker-registry disable >/dev/null 2>&1 || : ;; esac
case $packages in *prometheus*) update-rc.d prometheus disable >/dev/null 2>&1 || :; update-rc.d prometheus-pushgateway disable >/dev/null 2>&1 || : ;; esac
case $packages in *postgresql*) update-rc.d postgresql disable >/dev/null 2>&1 || : ;; esac
