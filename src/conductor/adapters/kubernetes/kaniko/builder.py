"""`ports.builder.Builder` for a cluster: each image by a Kaniko Job, pushed to the registry under its content key.

Law: the Job's name is worked out from the order, so a repeat adopts the Job that runs, reads the one that has ended unread, and removes one
whose outcome was told. No digest is believed but the registry's. A grant to push is taken back when its Job is over, whatever the end,
by whoever comes next.
"""

from __future__ import annotations

import asyncio
import logging
import posixpath
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from conductor.adapters.kubernetes.api.client import Client
from conductor.adapters.kubernetes.api.connection import Connection
from conductor.adapters.kubernetes.api.kinds import JOB, Manifest
from conductor.adapters.kubernetes.kaniko import grounds
from conductor.adapters.kubernetes.kaniko.endings import Recipe, error_of, is_cut_off
from conductor.adapters.kubernetes.kaniko.following import Ended, Following
from conductor.adapters.kubernetes.kaniko.job import GRANT, REPOSITORY, TOLD, Order, job, job_name, owned
from conductor.adapters.kubernetes.kaniko.place import labels_of, namespace_of
from conductor.adapters.kubernetes.kaniko.site import GitAccess, KanikoSite
from conductor.adapters.kubernetes.manifests.kube_names import label_value
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.adapters.kubernetes.seeing.pod_status import holds
from conductor.building.context import IGNORE_FILE, Context, inside, read_context
from conductor.building.ignore import Ignore
from conductor.domain.names import LABEL_RUN
from conductor.domain.report import BuiltImage
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConductorError, NotFoundError, RunError
from conductor.ports.builder import BuildOrder, OnLine
from conductor.ports.registry import Registry

LONGER = timedelta(minutes=20)
"""What a grant lives beyond the time limit of its build: starting, and being taken away."""
GOING = timedelta(minutes=1)
"""So long a Job may take to go."""
TRIES = 2
"""A context that was cut off is sent once more."""
TokenFor = Callable[[str], Awaitable[str | None]]
"""Gives a token that reads the repository at an address and nothing else, and ends soon: whatever a Dockerfile runs can read it."""
_LOOK = 0.1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOG = logging.getLogger(__name__)


class KanikoBuilder:
    """Builds on a cluster. `site` names the instance and its role; `kaniko` is how images are built."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        *,
        site: Site,
        kaniko: KanikoSite | None = None,
        token_for: TokenFor | None = None,
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._site = site
        self._kaniko = kaniko or KanikoSite()
        self._token_for = token_for
        self._slots = asyncio.Semaphore(self._kaniko.at_once)
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._preparing = asyncio.Lock()
        self._is_prepared = False

    async def find(self, order: BuildOrder) -> BuiltImage | None:
        """Ask the registry for the image of this key."""
        reference = self._reference(order)
        digest = await self._registry.find(reference)
        return self._image(reference, digest, cached=True) if digest else None

    async def build(self, order: BuildOrder, *, on_line: OnLine) -> BuiltImage:
        """Build it by a Job, or adopt the Job that builds it; while this process builds the same key, wait for that."""
        began = time.monotonic()
        lock = self._one_at_a_time[order.key]
        waited = lock.locked()
        async with lock:
            made = await self.find(order) if waited else None
            if made is None:
                async with self._slots:
                    made = await self._build(order, on_line)
        return replace(made, name=order.name, seconds=time.monotonic() - began)

    async def stop(self, run: str) -> None:
        """Remove the Jobs of a run that have not ended, and take their grants back."""
        client = await self._connection.client()
        labels = {**labels_of(self._site), LABEL_RUN: label_value(run)}
        found = (await client.list(JOB, namespace_of(self._site, self._kaniko), labels=labels)).items
        await asyncio.gather(*(self._remove(client, one) for one in found if not _is_finished(one)))

    async def _build(self, order: BuildOrder, on_line: OnLine) -> BuiltImage:
        context = await asyncio.to_thread(read_context, Path(order.checkout), order.build)
        client = await self._connection.client()
        for tries_left in reversed(range(TRIES)):
            found = await self._adopt_or_start(client, order, context)
            ended = await self._follow(client, found, context, on_line)
            if not (is_cut_off(ended.ending) and tries_left):
                break
            await self._remove(client, found)
        if not ended.is_well:
            await self._settle(client, found, told=True)
            raise error_of(ended.ending, self._recipe(order, context))
        return await self._made(client, found, order, ended.message, on_line)

    async def _follow(self, client: Client, found: Manifest, context: Context, on_line: OnLine) -> Ended:
        """Follow a Job to its end; one that cannot even begin is removed."""
        try:
            return await Following(client, found, context, on_line).to_the_end()
        except (RunError, NotFoundError):
            await self._remove(client, found)
            raise

    async def _made(
        self, client: Client, found: Manifest, order: BuildOrder, message: str, on_line: OnLine
    ) -> BuiltImage:
        """Say what a Job made, as the registry has it: the Dockerfile's commands may have written the `message`."""
        reference = self._reference(order)
        digest = await self._registry.find(reference)
        await self._settle(client, found, told=digest is None)
        if digest is None:
            raise _not_there(order, reference)
        if message != digest:
            said = message if _DIGEST.fullmatch(message) else "no digest"
            await on_line(
                f"[conductor] the build says {said}, the registry has {digest}: the registry's counts"
            )
        return self._image(reference, digest, cached=False)

    async def _adopt_or_start(self, client: Client, order: BuildOrder, context: Context) -> Manifest:
        """Return the Job of an order that runs or has ended unread; make it where there is none of use."""
        await self._prepare(client)
        name, namespace = job_name(order), namespace_of(self._site, self._kaniko)
        found = await client.find(JOB, name, namespace)
        if found is not None and _is_of_use(found):
            return found
        if found is not None:
            await self._remove(client, found)
        try:
            return await self._start(client, order, context)
        except NotFoundError:
            self._is_prepared = False  # somebody removed the namespace
            await self._prepare(client)
            return await self._start(client, order, context)

    async def _start(self, client: Client, order: BuildOrder, context: Context) -> Manifest:
        """Make the Job, then its Secret, then let it go."""
        name = job_name(order)
        life = self._kaniko.time_limit + LONGER
        grant = await self._registry.grant_push(order.repository, build=name, life=life)
        wanted = Order(
            order=order,
            reference=self._reference(order),
            cache=self._registry.cache(order.repository),
            dockerfile_path=context.dockerfile_path,
            fetches=self._is_fetched(order, context),
            grant=grant,
            token=secrets.token_hex(4),
        )
        kaniko = await self._with_token(wanted)
        made = await client.create(job(wanted, site=self._site, kaniko=kaniko))
        if made is None:  # another process was faster
            return await client.get(JOB, name, namespace_of(self._site, self._kaniko))
        try:
            for thing in owned(wanted, made["metadata"], site=self._site, kaniko=kaniko):
                await client.create(thing)
            return await client.patch(JOB, name, {"spec": {"suspend": False}}, made["metadata"]["namespace"])
        except ConductorError:
            await self._remove(client, made)
            raise

    async def _with_token(self, wanted: Order) -> KanikoSite:
        """Give the build a token of its own for the repository that it fetches, where there is one to be had."""
        remote = wanted.order.remote
        if self._token_for is None or remote is None or not wanted.fetches:
            return self._kaniko
        token = await self._token_for(remote.url)
        if token is None:
            return self._kaniko
        return replace(self._kaniko, git=GitAccess(host=urlsplit(remote.url).netloc.lower(), token=token))

    async def _remove(self, client: Client, found: Manifest) -> None:
        """Remove a Job with all that is its own, and take its grant back; returns once it is gone."""
        metadata = found["metadata"]
        await self._revoke(found)
        await client.delete(JOB, metadata["name"], metadata["namespace"], uid=metadata["uid"])
        async with asyncio.timeout(GOING.total_seconds()):
            while (left := await client.find(JOB, metadata["name"], metadata["namespace"])) is not None:
                if left["metadata"]["uid"] != metadata["uid"]:
                    return
                await asyncio.sleep(_LOOK)

    async def _settle(self, client: Client, found: Manifest, *, told: bool) -> None:
        """Take the grant back; then remove the Job, or note that its outcome was `told`. The next one does what fails here."""
        metadata = found["metadata"]
        is_revoked = await self._revoke(found)
        try:
            if is_revoked and not told:
                await client.delete(JOB, metadata["name"], metadata["namespace"], uid=metadata["uid"])
                return
            notes = {TOLD: "true", **({GRANT: None} if is_revoked else {})}
            changes = {"metadata": {"annotations": notes}}
            await client.patch(JOB, metadata["name"], changes, metadata["namespace"])
        except ConductorError as error:
            _LOG.warning("%s is not settled: %s", metadata["name"], error.message)

    async def _revoke(self, found: Manifest) -> bool:
        name, notes = found["metadata"]["name"], found["metadata"].get("annotations") or {}
        try:
            await self._registry.revoke_push(name, repository=str(notes.get(REPOSITORY) or ""))
        except ConductorError as error:
            _LOG.warning("the grant of %s is not taken back yet: %s", name, error.message)
            return False
        return True

    async def _revoke_late(self, client: Client, found: Manifest) -> None:
        metadata = found["metadata"]
        if await self._revoke(found):
            changes = {"metadata": {"annotations": {GRANT: None}}}
            with suppress(ConductorError):
                await client.patch(JOB, metadata["name"], changes, metadata["namespace"])

    async def _prepare(self, client: Client) -> None:
        """Have the namespace with its bounds, and take back what a crash left granted; once."""
        async with self._preparing:
            if self._is_prepared:
                return
            hosts = grounds.hosts_of(self._registry.cache("x"), self._kaniko)
            await grounds.prepare(client, self._site, self._kaniko, hosts=hosts)
            for found in (await client.list(JOB, namespace_of(self._site, self._kaniko))).items:
                held = (found["metadata"].get("annotations") or {}).get(GRANT)
                if held and _is_finished(found):
                    await self._revoke_late(client, found)
            self._is_prepared = True

    def _is_fetched(self, order: BuildOrder, context: Context) -> bool:
        """Tell whether the cluster can fetch just what the key was worked out from.

        Kaniko has a repository's `.git` in its context, which is no content: so it must not be in reach of a COPY.
        """
        if self._kaniko.git is None or order.remote is None or context.added:
            return False
        return posixpath.normpath(order.build.context) != "." or _leaves_git_out(order.checkout)

    def _reference(self, order: BuildOrder) -> str:
        return self._registry.reference(order.repository, order.name, order.key)

    def _image(self, reference: str, digest: str, *, cached: bool) -> BuiltImage:
        """Tell of an image by its digest: pods get that one, whatever becomes of the tag."""
        pinned = f"{reference}@{digest}"
        link = self._registry.link(reference, digest)
        return BuiltImage(
            name="", reference=pinned, digest=digest, cached=cached, published=pinned, link=link
        )

    def _recipe(self, order: BuildOrder, context: Context) -> Recipe:
        fetched = order.remote is not None and self._is_fetched(order, context)
        return Recipe(
            name=order.name,
            build=order.build,
            dockerfile=context.dockerfile,
            time_limit=self._kaniko.time_limit,
            remote=order.remote.url if fetched and order.remote else "",
        )


def _leaves_git_out(checkout: str) -> bool:
    file = inside(Path(checkout), IGNORE_FILE)
    return file.is_file() and Ignore(file.read_text(encoding="utf-8", errors="replace")).leaves_out_all_of(
        ".git"
    )


def _is_of_use(found: Manifest) -> bool:
    """Tell whether a Job runs, or has ended and nobody knows how: one that was never let go has no Secret."""
    is_going = bool(found["metadata"].get("deletionTimestamp"))
    return not (is_going or found["spec"].get("suspend") or _was_told(found))


def _was_told(found: Manifest) -> bool:
    return bool((found["metadata"].get("annotations") or {}).get(TOLD))


def _is_finished(found: Manifest) -> bool:
    return holds(found, "Complete") or holds(found, "Failed")


def _not_there(order: BuildOrder, reference: str) -> RunError:
    return RunError(
        f"{order.name} was built, but the registry has no {reference}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy="Look whether something removes images from the registry; `conductor doctor` pushes one and looks for it.",
        subject=order.name,
    )
