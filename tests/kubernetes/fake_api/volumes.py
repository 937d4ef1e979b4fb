"""The folders that a pod's volumes are: empty ones, claims, and files of ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from tests.kubernetes.fake_api.containers import Mount
from tests.kubernetes.fake_api.kinds import CONFIG_MAPS, SECRETS, Object
from tests.kubernetes.fake_api.store import Store


class MissingError(Exception):
    """Something that a volume or a variable is made of is not there; the text is the kubelet's."""


def lay_out(store: Store, pod: Object, folder: Path, claims: Path) -> dict[str, Path]:
    """Make the folders of a pod's volumes; return them by name. MissingError where one cannot be mounted yet."""
    namespace = pod["metadata"]["namespace"]
    made: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        if claim := volume.get("persistentVolumeClaim"):
            made[name] = claims / namespace / claim["claimName"]
        else:
            made[name] = folder / "volumes" / name
        made[name].mkdir(parents=True, exist_ok=True)
        for path, content in _files(store, namespace, volume):
            target = made[name] / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return made


def _files(store: Store, namespace: str, volume: Object) -> Iterator[tuple[str, bytes]]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        if found := source.get("configMap"):
            yield from _chosen(
                found, _map(store, namespace, found, volume["name"]), f"configmap {namespace}/{found['name']}"
            )
        if found := source.get("secret"):
            name = found.get("secretName") or found.get("name")
            yield from _chosen(
                found, _secret(store, namespace, name, found, volume["name"]), f"secret {namespace}/{name}"
            )


def _map(store: Store, namespace: str, source: Object, volume: str) -> dict[str, bytes]:
    found = store.find(CONFIG_MAPS, namespace, source["name"])
    if found is None:
        if source.get("optional"):
            return {}
        raise MissingError(
            f'MountVolume.SetUp failed for volume "{volume}" : configmap "{source["name"]}" not found'
        )
    texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}


def _secret(store: Store, namespace: str, name: str, source: Object, volume: str) -> dict[str, bytes]:
    found = store.find(SECRETS, namespace, name)
    if found is None:
        if source.get("optional"):
            return {}
        raise MissingError(f'MountVolume.SetUp failed for volume "{volume}" : secret "{name}" not found')
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}


def _chosen(source: Object, files: dict[str, bytes], what: str) -> Iterator[tuple[str, bytes]]:
    if not source.get("items"):
        yield from files.items()
    for item in source.get("items") or ():
        if item["key"] not in files and not source.get("optional"):
            raise MissingError(
                f"MountVolume.SetUp failed for volume: references non-existent config key: {item['key']} in {what}"
            )
        yield item["path"], files[item["key"]]


def mounts(container: Object, folders: dict[str, Path]) -> list[Mount]:
    """Work out a container's mounts."""
    made = []
    for mount in container.get("volumeMounts") or ():
        source = folders[mount["name"]]
        if mount.get("subPath"):
            source = source / mount["subPath"]
            if not os.path.lexists(source):
                source.mkdir(parents=True)
        made.append(
            Mount(
                source=source,
                target=mount["mountPath"].rstrip("/") or "/",
                read_only=bool(mount.get("readOnly")),
            )
        )
    return made


def environment(store: Store, pod: Object, container: Object) -> dict[str, str]:
    """Work out a container's variables, with those of ConfigMaps, Secrets and the pod itself. MissingError as the kubelet says it."""
    made: dict[str, str] = {}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or ():
        found = source.get("configMapRef") or source.get("secretRef")
        kind = CONFIG_MAPS if source.get("configMapRef") else SECRETS
        thing = store.find(kind, namespace, found["name"])
        if thing is None and not found.get("optional"):
            raise MissingError(f'{kind.kind.lower()} "{found["name"]}" not found')
        made |= {
            f"{source.get('prefix', '')}{key}": _text(kind is SECRETS, value)
            for key, value in ((thing or {}).get("data") or {}).items()
        }
    for variable in container.get("env") or ():
        value = variable.get("value")
        if value is None and variable.get("valueFrom"):
            value = _referenced(store, pod, variable["valueFrom"])
        if value is not None:
            made[variable["name"]] = expanded(value, made)
    return made


def _referenced(store: Store, pod: Object, source: Object) -> str | None:
    if path := (source.get("fieldRef") or {}).get("fieldPath"):
        known = {
            "metadata.name": pod["metadata"]["name"],
            "metadata.namespace": pod["metadata"]["namespace"],
            "metadata.uid": pod["metadata"]["uid"],
            "status.podIP": (pod.get("status") or {}).get("podIP", ""),
            "spec.nodeName": pod["spec"].get("nodeName", ""),
        }
        return str(known.get(path, ""))
    found, kind = (
        (source["secretKeyRef"], SECRETS)
        if source.get("secretKeyRef")
        else (source.get("configMapKeyRef"), CONFIG_MAPS)
    )
    if found is None:
        return ""
    namespace, word = pod["metadata"]["namespace"], kind.kind if kind is CONFIG_MAPS else "Secret"
    thing = store.find(kind, namespace, found["name"])
    if thing is None or found["key"] not in (thing.get("data") or {}):
        if found.get("optional"):
            return None
        if thing is None:
            raise MissingError(f'{kind.kind.lower()} "{found["name"]}" not found')
        raise MissingError(f"couldn't find key {found['key']} in {word} {namespace}/{found['name']}")
    return _text(kind is SECRETS, thing["data"][found["key"]])


def _text(is_encoded: bool, value: str) -> str:  # noqa: FBT001 -- what a Secret holds is encoded
    return base64.b64decode(value).decode() if is_encoded else value


def expanded(text: str, known: dict[str, str]) -> str:
    """Put variables in the place of `$(NAME)`; `$$` is a dollar.

    >>> expanded("$(A)-$$(A)-$(B)", {"A": "1"})
    '1-$(A)-$(B)'
    """
    made, rest = "", text
    while rest:
        before, dollar, rest = rest.partition("$")
        made += before
        if not dollar:
            break
        if rest.startswith("$"):
            made, rest = made + "$", rest[1:]
        elif rest.startswith("(") and ")" in rest and rest[1 : rest.index(")")] in known:
            name, rest = rest[1 : rest.index(")")], rest[rest.index(")") + 1 :]
            made += known[name]
        else:
            made += "$"
    return made
