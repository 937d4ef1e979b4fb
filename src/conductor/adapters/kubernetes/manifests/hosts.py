"""Names that the cluster's DNS cannot serve (`my_db`, `mail.local`): a sidecar writes them into the pod's hosts file.

It asks the DNS for the Service that stands for such a name, and keeps the file up to date; the service starts after its first look. What
a program asks its name server for directly, past the hosts file, it does not find.
"""

from __future__ import annotations

import re

from conductor.adapters.kubernetes.manifests.kube_names import is_dns_name, is_host_name
from conductor.adapters.kubernetes.manifests.layout import Layout
from conductor.adapters.kubernetes.manifests.network import names_on, service_name
from conductor.adapters.kubernetes.manifests.preparation import BUSYBOX, NAMES, helper
from conductor.adapters.kubernetes.manifests.site import Manifest
from conductor.domain.stack import Service, Stack

_WRITABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_MARK = "# by conductor"
_SCRIPT = f"""\
domain=$("$0" awk '$1 == "search" {{ print $2; exit }}' /etc/resolv.conf)
look() {{
  for name in $NAMES; do
    "$0" nslookup "${{name#*=}}.$domain" 2> /dev/null | "$0" awk -v name="${{name%%=*}}" '
      /^Name:/ {{ found = 1 }} found && /^Address/ {{ print ($1 == "Address:" ? $2 : $3) " " name " {_MARK}" }}' | "$0" sort -u
  done
  for pair in $FIXED; do echo "${{pair#*=}} ${{pair%%=*}} {_MARK}"; done
  echo "{_MARK}"
}}
trap 'exit 0' TERM
while :; do
  now=$(look)
  if [ "$now" != "$("$0" grep "{_MARK}\\$" /etc/hosts)" ]; then
    kept=$("$0" grep -v "{_MARK}\\$" /etc/hosts); printf '%s\\n%s\\n' "$kept" "$now" > /etc/hosts
  fi
  "$0" sleep 1 & wait $!
done"""

_LOOKED = f"""\
n=0
until "$0" grep -q "{_MARK}\\$" /etc/hosts; do n=$((n + 1)); [ "$n" -le 600 ] || exit 1; "$0" sleep 0.1; done"""
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


def sidecar(layout: Layout, service: Service) -> list[Manifest]:
    """Make the sidecar that writes the other names; none where there are none."""
    names = odd_names(layout.stack, service)
    fixed = {host: address for host, address in service.extra_hosts.items() if not is_host_name(host)}
    if not names and not fixed:
        return []
    made = helper(NAMES, layout.site.tools_image, [BUSYBOX, "sh", "-c", _SCRIPT, BUSYBOX])
    variables = {
        "NAMES": " ".join(f"{name}={stands}" for name, stands in names.items()),
        "FIXED": " ".join(f"{host}={address}" for host, address in sorted(fixed.items())),
    }
    looked = {"command": [BUSYBOX, "sh", "-c", _LOOKED, BUSYBOX]}
    return [
        made
        | {
            "restartPolicy": "Always",
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "lifecycle": {"postStart": {"exec": looked}},
        }
    ]
