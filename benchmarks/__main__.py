"""All benchmarks, or those that are named: cli, compose, kaniko, kubernetes (`--short`), kubernetes_run, service (`--short`), shop."""

from __future__ import annotations

import importlib
import sys

ALL = ("cli", "compose", "kaniko", "kubernetes", "kubernetes_run", "service", "shop")


def main(names: list[str]) -> None:
    names = [name for name in names if not name.startswith("--")]  # those are a benchmark's own
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)} (there are: {', '.join(ALL)})")
    for name in names or ALL:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"== {name}: {(module.__doc__ or '').partition(chr(10))[0]}\n", flush=True)
        module.main()
        print(flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
