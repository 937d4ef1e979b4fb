"""The git CLI as a subprocess: no configuration but ours, no prompt, no hook, and nothing of the repository is run.

Laws. What the user or the machine has configured for git is not read; what a repository's own configuration would run (hooks, monitors,
filters, credential helpers) is switched off. Tokens are in no argument. Names are handed over only after `--` or within full refs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from conductor.domain.masking import Masker
from conductor.errors import UnreachableError, UsageError

_SAFE = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "credential.helper": "",
    "log.showSignature": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "http.followRedirects": "initial",
    "protocol.version": "2",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
    "i18n.logOutputEncoding": "UTF-8",
}
_ASKPASS = """#!/bin/sh
case "$1" in
  "Username for 'https://$CONDUCTOR_ASKPASS_HOST'"*) echo x-access-token ;;
  "Password for 'https://x-access-token@$CONDUCTOR_ASKPASS_HOST'"*) printf '%s\\n' "$CONDUCTOR_ASKPASS_TOKEN" ;;
  *) exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Token:
    """What opens the private repositories of one host; sent to no other."""

    host: str
    value: str = field(repr=False)


class GitError(Exception):
    """Git said no; `said` is what it said, masked. Stays within this adapter."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class Git:
    """Runs git in a scratch home. Make it with `scratch_git`."""

    def __init__(self, home: Path, *, timeout: timedelta, token: Token | None, trust: bool) -> None:
        self.home = home
        self._timeout = timeout
        self._mask = Masker([token.value] if token else [])
        self._environment = _environment(home, token)
        if trust:
            self._environment["GIT_CONFIG_GLOBAL"] = _trusting(home)

    async def __call__(
        self,
        *arguments: str,
        at: Path,
        settings: Mapping[str, str] | None = None,
        tree: Path | None = None,
        index: Path | None = None,
        given: bytes | None = None,
    ) -> bytes:
        """Run it in a folder and return its output; `tree` is a work tree other than the repository's own, `index` an index.

        `given` is what it reads.

        Raises `GitError` when it fails, `UnreachableError` when it takes too long.
        """
        environment = self._environment | _as_variables(_SAFE | dict(settings or {}))
        if tree:
            environment |= {"GIT_DIR": str(at), "GIT_WORK_TREE": str(tree)}
        if index:
            environment |= {"GIT_INDEX_FILE": str(index)}
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                cwd=tree or at,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if error.filename != "git":
                raise GitError(f"fatal: {tree or at} is gone") from error
            raise UsageError("git is not installed", remedy="Install git 2.38 or newer.") from error
        return await self._answer(process, arguments[0], given)

    async def _answer(self, process: asyncio.subprocess.Process, verb: str, given: bytes | None) -> bytes:
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                out, problems = await process.communicate(given)
        except TimeoutError as error:
            raise UnreachableError(
                f"git {verb} gave no answer within {self._timeout}",
                remedy="See that the repository's host can be reached, then try again.",
            ) from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode != 0:
            raise GitError(self._mask(problems.decode(errors="replace").strip()) or f"git {verb} failed")
        return out


@asynccontextmanager
async def scratch_git(
    *, timeout: timedelta, token: Token | None = None, beside: Path | None = None, trust: bool = False
) -> AsyncIterator[Git]:
    """Give a git with an empty home that goes when the caller is done, beside the destination where space may matter.

    `trust` lets it read repositories that belong to another user of this machine.
    """
    prefix, folder = (scratch_prefix(beside), beside.parent) if beside else ("conductor-git-", None)
    home = tempfile.TemporaryDirectory(prefix=prefix, dir=folder, ignore_cleanup_errors=True)
    try:
        yield Git(Path(home.name), timeout=timeout, token=token, trust=trust)
    finally:
        await asyncio.to_thread(home.cleanup)  # it may hold all objects of a repository


def scratch_prefix(destination: Path) -> str:
    """Begin the names of scratch homes beside a destination; what a killed process left of them may be removed."""
    return f".clone-{destination.name}-"


async def trusted_by_user(git: Git) -> Sequence[str]:
    """Return the folders of other owners that the user has told git to trust (`safe.directory`)."""
    home = Path.home()
    files = (
        home / ".gitconfig",
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "git", "config"),
    )
    found: list[str] = []
    for file in files:
        with suppress(GitError):
            told = await git(
                "config", "--file", str(file), "--includes", "-z", "--get-all", "safe.directory", at=git.home
            )
            found += [one for one in told.decode(errors="replace").split("\0") if one]
    return found


def _environment(home: Path, token: Token | None) -> dict[str, str]:
    made = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:file",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ASKPASS": "true",
    }
    passed = (
        "https_proxy",
        "HTTPS_PROXY",
        "no_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "GIT_SSL_CAINFO",
        "SUDO_UID",
    )
    made |= {name: os.environ[name] for name in passed if name in os.environ}
    if token:
        askpass = home / "askpass"
        askpass.write_text(_ASKPASS)
        askpass.chmod(0o700)
        made |= {
            "GIT_ASKPASS": str(askpass),
            "CONDUCTOR_ASKPASS_HOST": token.host,
            "CONDUCTOR_ASKPASS_TOKEN": token.value,
        }
    return made


def _trusting(home: Path) -> str:
    """Write a configuration of our own: the process that serves a folder's objects is told in no other way."""
    path = home / "trusting"
    path.write_text("[safe]\n\tdirectory = *\n")
    return str(path)


def _as_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Hand settings over by variables: a key may hold any character, as `-c` does not allow."""
    made = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return made
