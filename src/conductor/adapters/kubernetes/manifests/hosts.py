"""Names that the cluster's DNS cannot serve (`my_db`, `mail.local`): a sidecar writes a hosts file for the service.

It asks the DNS for the Service that stands for such a name, and keeps the file up to date; the service starts after its first look. The
file is a volume's and not the one that the kubelet keeps, which it writes anew at every start of a container. What a program asks its name
server for directly, past the hosts file, it does not find.
"""

from __future__ import annotations

import re

from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, is_host_name
from conductor.adapters.kubernetes.manifests.layout import Layout
from conductor.adapters.kubernetes.manifests.network import names_on, service_name
from conductor.adapters.kubernetes.manifests.preparation import BUSYBOX, NAMES, NO_RIGHTS, ROOM, helper
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import Service, Stack

_WRITABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
HOSTS = "/etc/hosts"
_VOLUME = "names"
_FILE = f"{ROOM}/{_VOLUME}/hosts"
_SCRIPT = f"""\
domain=$("$0" awk '$1 == "search" {{ print $2; exit }}' /etc/resolv.conf)
look() {{
  for name in $NAMES; do
    "$0" nslookup "${{name#*=}}.$domain" 2> /dev/null | "$0" awk -v name="${{name%%=*}}" '
      /^Name:/ {{ found = 1 }} found && /^Address/ {{ print ($1 == "Address:" ? $2 : $3) " " name }}' | "$0" sort -u
  done
  for pair in $FIXED; do echo "${{pair#*=}} ${{pair%%=*}}"; done
}}
trap 'exit 0' TERM
while :; do
  now=$("$0" cat {HOSTS}; look)
  [ "$now" = "$("$0" cat {_FILE} 2> /dev/null)" ] || echo "$now" > {_FILE}
  "$0" sleep 1 & wait $!
done"""
_LOOKED = f"""\
n=0
until [ -s {_FILE} ]; do n=$((n + 1)); [ "$n" -le 600 ] || exit 1; "$0" sleep 0.1; done"""
"""Holds the next container back until the first look is done."""


def can_be_written(name: str) -> bool:
    """Tell whether a hosts file takes the name."""
    return bool(_WRITABLE.fullmatch(name))


def odd_names(stack: Stack, service: Service) -> dict[str, str]:
    """Map the names that the service can find, and the DNS cannot say, to the Services that stand for them."""
    found = {
        name: service_name(name)
        for other in stack.services
        for network in service.networks
        for name in names_on(other, network)
    }
    return {name: stands for name, stands in sorted(found.items()) if not is_dns_name(name)}


def host_aliases(service: Service) -> list[Manifest]:
    """Return what Kubernetes itself writes into the pod's hosts file."""
    by_address: dict[str, list[str]] = {}
    for host, address in service.extra_hosts.items():
        if is_host_name(host):
            by_address.setdefault(address, []).append(host)
    return [{"ip": address, "hostnames": hosts} for address, hosts in by_address.items()]


def needs_names(stack: Stack, service: Service) -> bool:
    """Tell whether a service must be given a hosts file of ours."""
    return bool(odd_names(stack, service)) or not all(map(is_host_name, service.extra_hosts))


def sidecar(layout: Layout, service: Service) -> list[Manifest]:
    """Make the sidecar that writes the file; none where the kubelet's has all names."""
    if not needs_names(layout.stack, service):
        return []
    names = odd_names(layout.stack, service)
    fixed = {host: address for host, address in service.extra_hosts.items() if not is_host_name(host)}
    told = {
        "NAMES": " ".join(f"{name}={stands}" for name, stands in names.items()),
        "FIXED": " ".join(f"{host}={address}" for host, address in sorted(fixed.items())),
    }
    looked = {"exec": {"command": [BUSYBOX, "sh", "-c", _LOOKED, BUSYBOX]}}
    made: Manifest = {
        "restartPolicy": "Always",
        "env": [{"name": name, "value": value} for name, value in told.items()],
        "lifecycle": {"postStart": looked},
        "volumeMounts": [{"name": _VOLUME, "mountPath": f"{ROOM}/{_VOLUME}"}],
        "securityContext": dict(NO_RIGHTS),
    }
    return [helper(NAMES, layout.site.tools_image, [BUSYBOX, "sh", "-c", _SCRIPT, BUSYBOX]) | made]


def volume() -> Manifest:
    """Return the volume that the file is in."""
    return {"name": _VOLUME, "emptyDir": {}}


def mount() -> Manifest:
    """Show the file to the service in place of the kubelet's."""
    return {"name": _VOLUME, "mountPath": HOSTS, "subPath": "hosts"}
