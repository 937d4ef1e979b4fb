"""The tables of docs/reference/compose.md, made of the code: `python -m conductor.cli.compose_reference docs/reference/compose.md`.

Between two marks stands what is made here; the rest of the page is written by hand. What a key does on an engine is found out by
converting a sample with it and without it, so that the page cannot say what the code does not do.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from conductor import bootstrap
from conductor.cli.compose_effects import Effect, Effects
from conductor.compose.samples import BESIDE, NOTHING, SAMPLES
from conductor.compose.schema import KEYS
from conductor.compose.unsupported import NOTES, REFUSALS

_PART = re.compile(r"(<!-- made of the code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


_OWN: Mapping[str, str] = {
    "services.*.build": "the build of the image",
    "services.*.configs": "Conductor copies it into the container",
    "services.*.secrets": "Conductor copies it into the container",
    "configs": "Conductor copies it into the container",
    "configs.*": "Conductor copies it into the container",
    "networks": "a single network is that of the namespace",
    "services.*.deploy.resources.reservations": "Docker reserves no processors, with Compose neither",
    "services.*.depends_on": "Conductor starts, waits and stops in this order",
    "services.*.links": "Conductor starts in this order",
    "services.*.healthcheck": "Conductor runs health checks itself",
    "services.*.env_file[].required": "a file that is not there is passed over",
    "services.*.profiles": "Conductor leaves out what is not enabled",
    "services.*.platform": "the pulling of the image",
    "services.*.pull_policy": "the pulling of the image",
    "services.*.ports[].name": "a remark",
    "services.*.volumes[].bind": "`create_host_path: false` is a mistake where the source is not there",
    "include[].project_directory": "the paths of the included file",
}


def places() -> list[str]:
    """List every key that Compose knows, by its place."""
    return sorted(f"{place}.{key}".removeprefix(".") for place, keys in KEYS.items() for key in keys)


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    return _PART.sub(lambda match: f"{match[1]}{_PARTS[match[2]]()}{match[3]}", text)


def keys_table() -> str:
    """Write what every key does on each engine."""
    engines = bootstrap.renderers()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in BESIDE.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        effects = Effects(folder, engines)
        rows = [_row(place, effects, [engine.name for engine in engines]) for place in places()]
    head = ["key", "for example", *(engine.name for engine in engines)]
    return _table(head, rows)


def _row(place: str, effects: Effects, engines: list[str]) -> list[str]:
    if place not in SAMPLES or _always_refused(place):
        return [f"`{place}`", "", *([_same_everywhere(place)] * len(engines))]
    cells = [_cell(place, effects.of(place, engine), [*effects.odd(place, engine)]) for engine in engines]
    return [f"`{place}`", _example(place), *cells]


def _always_refused(place: str) -> bool:
    return place in REFUSALS and not REFUSALS[place].harmless


def _same_everywhere(place: str) -> str:
    """Say of a key without a sample that it is refused, or what it does nowhere."""
    if place in REFUSALS:
        return "refused" if not REFUSALS[place].harmless else f"refused, but {_taken(place)}"
    if place in NOTES:
        return NOTES[place]
    parent = place.rpartition(".")[0].removesuffix("[]")
    if parent in REFUSALS:
        return f"as `{parent}`"
    raise KeyError(f"{place} has no sample in compose/samples.py, and is neither refused nor noted")


def _cell(place: str, effect: Effect, odd: list[tuple[str, str]]) -> str:
    parts = []
    if effect.refused:
        parts.append(f"**refused**: {'; '.join(effect.refused)}")
    elif effect.fields:
        parts.append(", ".join(f"`{field}`" if field != "…" else field for field in effect.fields))
    elif own := _own(place):
        parts.append(own)
    elif effect.stack and not _note(place):
        parts.append("nothing that the engine is told")
    parts += [note] if (note := _note(place)) else []
    if place in REFUSALS:
        parts.append(f"all but {_taken(place)} is refused")
    parts += [f"**refused** as `{value}`: {why}" for value, why in odd]
    return "; ".join(parts) or "nothing"


def _note(place: str) -> str:
    """Return what is noted of a key, or of what it is a part of."""
    while place:
        if place in NOTES:
            return NOTES[place]
        place = place.rpartition(".")[0].removesuffix("[]")
    return ""


def _own(place: str) -> str:
    """Say what Conductor does itself, where an engine is told nothing."""
    return next((text for start, text in _OWN.items() if place == start or _is_below(place, start)), "")


def _is_below(place: str, start: str) -> bool:
    return "." in start and place.startswith((f"{start}.", f"{start}["))


def _example(place: str) -> str:
    with_it, _ = SAMPLES[place]
    lines = [line for line in with_it.splitlines() if line != NOTHING]
    key = place.partition(".")[0]
    written = next((line for line in lines if line.startswith(f"{key}:")), lines[-1])
    return f"`{written}`"


def refusals_table() -> str:
    """Write the closed list."""
    rows = [
        [f"`{place}`", refusal.why, refusal.instead, _taken(place) or "-"]
        for place, refusal in REFUSALS.items()
    ]
    return _table(["key", "why", "what to do instead", "taken"], rows)


def _taken(place: str) -> str:
    return ", ".join(f"`{value}`" for value in REFUSALS[place].harmless)


def notes_table() -> str:
    """Write what is converted with a note."""
    return _table(["key", "note"], [[f"`{place}`", note] for place, note in NOTES.items()])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return (
        "".join(f"| {' | '.join(line)} |\n" for line in lines)
        .replace("| --- ", "|---")
        .replace("--- |\n", "---|\n")
    )


_PARTS: Mapping[str, Callable[[], str]] = {
    "keys": keys_table,
    "refusals": refusals_table,
    "notes": notes_table,
}


def main(file: str) -> None:
    """Write the page."""
    path = Path(file)
    path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
