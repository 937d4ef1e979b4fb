"""How a build ended that has no image: what went wrong, at which line, whose fault it is, what to do. Pure.

The forms are those of Kaniko v1.28, which answers with the exit code of a failing command and with 1 for all else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from conductor.building.dockerfile import instructions, line_of
from conductor.domain.stack import Build
from conductor.domain.verdict import Fault, Reason
from conductor.errors import RunError

KILLED = 137
_LONGEST = 500
_CONTEXT = "/kaniko/buildcontext/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How the containers of a build ended, and what Kaniko wrote."""

    exit_code: int = 0
    reason: str = ""
    """The container's or the pod's, in Kubernetes' words."""
    step: str = ""
    base: str = ""
    """The image that was asked for last."""
    trouble: str = ""
    last: Sequence[str] = ()
    warnings: Sequence[str] = ()
    pushing: bool = False
    """The image was made, and only pushing it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What was built."""

    name: str
    build: Build
    dockerfile: str
    """Its text."""
    time_limit: timedelta
    remote: str = ""

    @property
    def file(self) -> str:
        """How messages name the Dockerfile."""
        return "dockerfile_inline" if self.build.dockerfile_inline is not None else self.build.dockerfile


def is_cut_off(ending: Ending) -> bool:
    """Tell whether the context did not arrive whole: then it is sent again."""
    return "resolving source context: " in ending.trouble and bool(_CUT_OFF.search(ending.trouble))


def error_of(ending: Ending, recipe: Recipe) -> RunError:
    """Say what went wrong."""
    for judge in (
        _by_the_platform,
        _by_a_command,
        _by_the_dockerfile,
        _by_the_paths,
        _by_the_base,
        _by_git,
        _by_pushing,
    ):
        if error := judge(ending, recipe):
            return error
    said = _words(ending) or f"exit code {ending.exit_code}"
    return _failed(recipe, f"{_place(recipe, ending.step)} failed: {said}", ending.last, remedy=_READ)


_READ = "The log of the build says more."
_CORRECT = "Correct the instruction, or what it needs of the build context; `docker build` shows the same."
_MEMORY = (
    "Let the step use less memory, or have whoever runs Conductor raise `memory` in CONDUCTOR_BUILD_LIMITS."
)
_CUT_OFF = re.compile(r"gzip: invalid header|unexpected EOF|: EOF$")
_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|timed out|connection re|network is unreachable|TLS handshake|\b50[0234]\b|deadline exceeded",
    re.IGNORECASE,
)
_RATE = re.compile(r"TOOMANYREQUESTS|too many requests|\b429\b", re.IGNORECASE)
_DENIED = re.compile(r"UNAUTHORIZED|DENIED|FORBIDDEN|authentication required|\b40[13]\b", re.IGNORECASE)
_ABSENT = re.compile(r"MANIFEST_UNKNOWN|NAME_UNKNOWN|not found|\b404\b", re.IGNORECASE)


def _by_the_platform(ending: Ending, recipe: Recipe) -> RunError | None:
    said = _words(ending)
    if ending.reason == "DeadlineExceeded":
        limit = f"{recipe.time_limit.total_seconds():g} s"
        message = f"{_place(recipe, ending.step)}: the build did not end within its time limit of {limit}"
        remedy = "Make the build faster, or have whoever runs Conductor raise CONDUCTOR_BUILD_TIME_LIMIT."
        return _failed(recipe, message, ending.last, remedy=remedy)
    if ending.reason == "OOMKilled":
        message = f"{_place(recipe, ending.step)}: the build used more memory than it may"
        return _failed(recipe, message, ending.last, remedy=_MEMORY)
    if ending.reason == "Evicted" or any(
        "no space left on device" in line for line in (said, *ending.last, *ending.warnings)
    ):
        return RunError(
            f"building {recipe.name}: the node has no room for it: {said or ending.reason}",
            reason=Reason.DISK_FULL,
            fault=Fault.PLATFORM,
            remedy="Free disk space on the nodes, or raise `ephemeral-storage` in CONDUCTOR_BUILD_LIMITS.",
            subject=recipe.name,
        )
    if found := re.search(r"unknown (?:flag|shorthand flag): .*", said):
        remedy = "Set CONDUCTOR_KANIKO_IMAGE to a release of osscontainertools/kaniko from v1.28 on."
        return _operators(recipe, f"Kaniko does not know what it is asked: {found[0]}", remedy)
    return None


def _by_a_command(ending: Ending, recipe: Recipe) -> RunError | None:
    found = re.search(r"failed to execute command: (?P<how>.*)", ending.trouble, re.DOTALL)
    if found is None:
        return None
    how, place = found["how"], _place(recipe, ending.step)
    if code := re.search(r"exit status (\d+)", how):
        killed = f" (it was killed{_PERHAPS})" if int(code[1]) == KILLED else ""
        return _failed(
            recipe, f"{place} failed with exit code {code[1]}{killed}", ending.last, remedy=_CORRECT
        )
    if signal := re.search(r"signal: (\w+)", how):
        return _failed(recipe, f"{place} was {signal[1]}{_PERHAPS}", ending.last, remedy=_MEMORY)
    if missing := re.search(r"fork/exec (\S+): no such file or directory", how):
        message = f"{place} cannot be run: the image has no {missing[1]}"
        return _failed(
            recipe, message, (), remedy="Take a base image that has it, or write the command as a JSON list."
        )
    return _failed(recipe, f"{place} failed: {how[:_LONGEST]}", ending.last, remedy=_CORRECT)


_PERHAPS = ": perhaps for lack of memory"


def _by_the_dockerfile(ending: Ending, recipe: Recipe) -> RunError | None:
    said = ending.trouble
    if found := re.search(r"parse error on line (\d+): (.*)", said, re.DOTALL):
        return _failed(recipe, f"{recipe.file}:{found[1]}: {found[2]}", (), remedy="Correct the Dockerfile.")
    if "parsing dockerfile" in said or "dockerfile parse error" in said:
        text = said.partition("parsing dockerfile: ")[2] or said
        return _failed(recipe, f"{recipe.file}: {text[:_LONGEST]}", (), remedy="Correct the Dockerfile.")
    if found := re.search(rf"lstat {_CONTEXT}(\S+): no such file|fileinfo for {_CONTEXT}(\S+):", said):
        path = found[1] or found[2]
        message = f"{_copying(recipe, path)}: the build context has no {_relative(recipe, path)}"
        remedy = "Add the file, correct the path, or take it out of .dockerignore."
        return _failed(recipe, message, (), remedy=remedy)
    return None


def _by_the_paths(ending: Ending, recipe: Recipe) -> RunError | None:
    said = ending.trouble
    if found := re.search(r"finding target stage: (.*)", said):
        return _failed(
            recipe, f"{recipe.file}: {found[1]}", (), remedy="Correct `build.target`, or name the stage."
        )
    if "error resolving dockerfile path" in said:
        message = f"there is no Dockerfile at {recipe.build.dockerfile}"
        return _failed(recipe, message, (), remedy="Correct `build.dockerfile`, or add the file.")
    if re.search(rf"source context: stat {_CONTEXT}\S+: no such file", said):
        message = f"the build context {recipe.build.context} is no folder of the repository"
        return _failed(recipe, message, (), remedy="Correct `build.context`, or add the folder.")
    return None


_PULLING = (
    re.compile(r"image not found on any configured mapped registries for (?P<image>\S+)"),
    re.compile(r"error building image: (?:GET|HEAD|Get|Head) \S*?/v2/(?P<image>\S+)/manifests/"),
)


def _by_the_base(ending: Ending, recipe: Recipe) -> RunError | None:
    """Look at the warnings too: where a mirror was asked first, only they say what it answered."""
    said = ending.trouble
    found = next((found for form in _PULLING if (found := form.search(said))), None)
    is_unnamed = "unable to complete operation" in said and not ending.step and ending.base
    if "push permission" in said or not (found or is_unnamed):
        return None
    image = found["image"].strip("\"':,") if found else ending.base
    whole = " ".join((said, *(line for line in ending.warnings if image.partition(":")[0] in line)))
    place = _base_place(recipe, image)
    if _RATE.search(whole):
        why, fault, remedy = "the registry allows no more pulls for now", Fault.PLATFORM, _MIRROR
    elif _DENIED.search(whole):
        why, fault, remedy = "the registry asks who is pulling, or refuses", Fault.PLATFORM, _PULLS
    elif _ABSENT.search(whole) and not _NETWORK.search(whole):
        why, fault, remedy = "there is no such image", Fault.REPOSITORY, "Check the image's name and tag."
    else:
        why, fault, remedy = (
            "the registry cannot be reached",
            Fault.PLATFORM,
            f"{_REACH} Details are in the build's log.",
        )
    return RunError(
        f"{place}: the base image {image} cannot be pulled: {why}",
        reason=Reason.IMAGE_PULL,
        fault=fault,
        remedy=remedy,
        subject=recipe.name,
    )


_MIRROR = "Wait, or set CONDUCTOR_BUILD_MIRRORS or CONDUCTOR_BUILD_PULLS_FILE."
_PULLS = "Check the image's name; if it is private, give builds an account that may pull it with CONDUCTOR_BUILD_PULLS_FILE."
_REACH = "Let builds reach it: CONDUCTOR_BUILD_EGRESS opens private addresses and namespaces."


def _by_git(ending: Ending, recipe: Recipe) -> RunError | None:
    found = re.search(r"error resolving source context: (?P<why>.*)", ending.trouble, re.DOTALL)
    if found is None:
        return None
    why = found["why"].strip()
    host = urlsplit(recipe.remote).netloc or "the git server"
    if "not our ref" in why or "reference not found" in why:
        fault, remedy = (
            Fault.REPOSITORY,
            "Push the commit: only what the forge has can be built on a cluster.",
        )
    elif "authentication required" in why or "repository not found" in why or "authorization failed" in why:
        fault, remedy = (
            Fault.PLATFORM,
            "Check CONDUCTOR_BUILD_GIT_TOKEN: it has to be able to read this repository.",
        )
    else:
        fault, remedy = Fault.PLATFORM, _trust_remedy(why)
    return RunError(
        f"building {recipe.name}: the cluster cannot fetch the commit from {host}: {why[:_LONGEST]}",
        reason=Reason.CLONE_FAILED,
        fault=fault,
        remedy=remedy,
        subject=recipe.name,
    )


def _by_pushing(ending: Ending, recipe: Recipe) -> RunError | None:
    said = _words(ending)
    if not (
        ending.pushing or "push permission" in said or "pushing image" in said or "failed to push" in said
    ):
        return None
    if _DENIED.search(said):
        remedy = "Check the registry's account in CONDUCTOR_REGISTRY_USER and its password: `conductor doctor` tries them."
        return _operators(recipe, f"the registry does not let the image be pushed: {said}", remedy)
    return _operators(recipe, f"the image cannot be pushed: {said}", _trust_remedy(said))


def _trust_remedy(text: str) -> str:
    if "x509" in text or "certificate" in text:
        return "Name the authority's certificates with CONDUCTOR_BUILD_CA_FILE."
    if "gave HTTP response to HTTPS client" in text:
        return "Name the registry in CONDUCTOR_BUILD_INSECURE if plain HTTP is meant."
    return f"Check that it runs. {_REACH}"


def _operators(recipe: Recipe, message: str, remedy: str) -> RunError:
    return RunError(
        f"building {recipe.name}: {message[: 2 * _LONGEST]}",
        reason=Reason.BUILD_FAILED,
        fault=Fault.PLATFORM,
        remedy=remedy,
        subject=recipe.name,
    )


def _failed(recipe: Recipe, message: str, last: Sequence[str], *, remedy: str) -> RunError:
    own = [line for line in last if not line.startswith(("error ", "Error: "))]
    return RunError(
        "\n".join((message, *(f"    {line}" for line in own))),
        reason=Reason.BUILD_FAILED,
        fault=Fault.REPOSITORY,
        remedy=remedy,
        subject=recipe.name,
    )


def _words(ending: Ending) -> str:
    """Return what Kaniko says went wrong, as far as it is worth reading."""
    said = ending.trouble or next(iter(reversed(ending.last)), "")
    return said.removeprefix("Error: ").removeprefix("error building image: ").strip()[: 2 * _LONGEST]


def _place(recipe: Recipe, step: str) -> str:
    """Say where the build stood: `Dockerfile:5: RUN make`."""
    if not step:
        return f"{recipe.file}: the build"
    line = line_of(recipe.dockerfile, step)
    return f"{recipe.file}{f':{line}' if line else ''}: {' '.join(step.split())[:200]}"


def _copying(recipe: Recipe, path: str) -> str:
    """Find the instruction that takes a path of the context."""
    wanted = _relative(recipe, path)
    for one in instructions(recipe.dockerfile):
        keyword, *words = one.text.replace('"', " ").replace(",", " ").replace("[", " ").split()
        taken = [posixpath.normpath(word.lstrip("/")) for word in words]
        if keyword.upper() in ("COPY", "ADD") and wanted in taken:
            return _place(recipe, one.text)
    return f"{recipe.file}: the build"


def _relative(recipe: Recipe, path: str) -> str:
    """Return a path as the Dockerfile means it: what was fetched is the whole repository."""
    folder = posixpath.normpath(recipe.build.context)
    return path.removeprefix(f"{folder}/") if recipe.remote and folder != "." else path


def _base_place(recipe: Recipe, image: str) -> str:
    for one in instructions(recipe.dockerfile):
        keyword, *words = one.text.split()
        if keyword.upper() == "FROM" and any(_names(word, image) for word in words):
            return _place(recipe, one.text)
    return f"{recipe.file}: the build"


def _names(word: str, image: str) -> bool:
    """Tell whether two names mean the same image of Docker Hub or of another registry, as far as they say."""
    plain = [re.sub(r"^(index\.docker\.io/|docker\.io/)?(library/)?", "", name) for name in (word, image)]
    return plain[0] == plain[1] or plain[0].partition(":")[0] == plain[1]
