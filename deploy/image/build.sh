#!/bin/sh
# Build Conductor's image with Podman where no registry can be reached: on a base made of Debian's packages, with wheels fetched outside
# of the build. Needs root, podman, mmdebstrap, and pip for the same Python as Debian's.
#
#   build.sh [TAG]            localhost/conductor:local where none is named; BASE=... takes an image that is there as base
set -eu

tag=${1:-localhost/conductor:local}
base=${BASE:-}
debian=bookworm
python=3.11
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf '%s\n' "image: $*" >&2; }

# What Podman needs on this machine: runc where cgroups are hybrid, no limit above what this process may have.
configure_podman() {
    export CONTAINERS_CONF="$scratch/containers.conf"
    printf '[containers]\ndefault_ulimits = ["nofile=%s:%s"]\n[engine]\n' "$(ulimit -n)" "$(ulimit -n)" >"$CONTAINERS_CONF"
    if [ -d /sys/fs/cgroup/unified ] && command -v runc >/dev/null; then echo 'runtime = "runc"' >>"$CONTAINERS_CONF"; fi
    if [ ! -d /run/systemd/system ]; then printf 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >>"$CONTAINERS_CONF"; fi
}

# Debian's packages, checked by its signatures. Documentation is left out; licences stay.
make_base() {
    base=localhost/conductor/base:$debian
    if podman image exists "$base"; then return; fi
    say "making $base of Debian's packages (a minute or more)"
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,git,ca-certificates \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$debian" "$scratch/base.tar"
    podman import --quiet "$scratch/base.tar" "$base" >/dev/null
    rm "$scratch/base.tar"
}

# Wheels by their hashes: what is not in the locks is not taken.
fetch_wheels() {
    machine=$(uname -m)
    for lock in requirements/run.lock deploy/image/build.lock; do
        python3 -m pip download --quiet --require-hashes --only-binary :all: --dest "$scratch/wheels" \
            --implementation cp --python-version "$python" \
            --platform "manylinux_2_34_$machine" --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" \
            --platform "manylinux_2_17_$machine" --platform any \
            --requirement "$source/$lock"
    done
}

[ -n "${CONTAINERS_CONF:-}" ] || configure_podman
[ -n "$base" ] || make_base
say "fetching wheels"
fetch_wheels
say "building $tag"
podman build --quiet --file "$here/Dockerfile" --ignorefile "$here/Dockerfile.dockerignore" \
    --build-arg "BASE=$base" --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels \
    --volume "$scratch/wheels:/wheels:ro" --tag "$tag" "$source" >/dev/null
say "$tag: $(podman image inspect --format '{{.Size}}' "$tag") bytes"
