"""Files made to hurt: each is read or refused within a second and 200 MB, in a process that cannot have more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 1
MEGABYTES = 200

READ = """
import sys, time
from conductor.documents.document import read_documents
from conductor.errors import ConfigurationError
content = open(sys.argv[1], "rb").read()
before = time.process_time()
try:
    documents = read_documents(content, file="hostile.yml")
    answer = "read"
except ConfigurationError as error:
    answer = "refused " + error.problems[-1].message
    assert len(str(error)) < 100_000
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))  # rusage has the parent's
print(time.process_time() - before, peak // 1024, answer)
"""


def limits():
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
    resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))


def read(path: Path) -> str:
    """Return `read`, or `refused` and why; fail where it took more than it may."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        capture_output=True, text=True, check=False, timeout=30, preexec_fn=limits,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, megabytes, answer = done.stdout.strip().split(" ", 2)
    assert float(seconds) < SECONDS
    assert int(megabytes) < MEGABYTES
    return answer


def ladder(first: str, step: str, rungs: int) -> str:
    lines = [first, *(step.format(n=n, o=n - 1) for n in range(1, rungs))]
    return "\n".join(lines) + f"\nservices: *x{rungs - 1}\n"


NINE = ",".join(["*x{o}"] * 9)
LINES = 300_000

HOSTILE = {
    "aliases of aliases": ladder("x0: &x0 [lol]", "x{n}: &x{n} [" + NINE + "]", 12),
    "merges of merges": ladder("x0: &x0 {{a: 1}}".format(), "x{n}: &x{n} {{<<: [" + NINE + "]}}", 30),
    "merges that grow": ladder("x0: &x0 {a: 1}", "x{n}: &x{n} {{<<: *x{o}, k{n}: 1, l{n}: *x{o}}}", 40),
    "a long merge, often": "a: &a {" + ",".join(f"k{n}: 1" for n in range(9000)) + "}\n" + "".join(
        f"b{n}: {{<<: [{','.join(['*a'] * 50)}]}}\n" for n in range(1000)
    ),
    "a long text, often": f"a: &a {'x' * 500_000}\nb: [" + "*a," * 100_000 + "]\n",
    "lists in lists": "a: " + "[" * 500_000,
    "closed lists in lists": "a: " + "[" * 250_000 + "]" * 250_000,
    "mappings in mappings": "{a: " * 100_000,
    "block lists in lists": "- " * 400_000 + "a",
    "indented deeper and deeper": "".join(f"{' ' * n}a:\n" for n in range(1200)),
    "depth through aliases": "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}]\n" for n in range(1, 5000)),
    "keys of keys": "? " * 200_000,
    "very many keys": "\n".join(f"k{n}: 1" for n in range(80_000)),
    "very many items": "[" + "1," * 400_000 + "]",
    "very many documents": "---\n" * 200_000,
    "very many anchors": "\n".join(f"- &a{n} x" for n in range(70_000)),
    "the same key again and again": "a: 1\n" * 150_000,
    "a number that never ends": f"a: {'9' * 1_000_000}",
    "a hexadecimal number that never ends": f"a: 0x{'f' * 1_000_000}",
    "a floating number that never ends": f"a: 1.{'1' * 1_000_000}e1",
    "a key that never ends": f"{'k' * 1_000_000}: 1",
    "a quoted text that never ends": 'a: "' + "x\\n" * 300_000,
    "a tag that never ends": f"a: !<{'x' * 900_000}> 1",
    "an anchor that never ends": f"a: &{'x' * 900_000} 1",
    "comments": "#\n" * LINES,
    "blank lines": "a:\n" + "\n" * LINES + "  b: 1",
    "quotes": "'" * 1_000_000,
    "dashes": "-" * 1_000_000,
    "colons": ": " * 500_000,
    "folded text": "a: >\n" + "  x\n" * 200_000,
    "bad bytes": "é".encode("latin-1") * 1_000_000,
    "carriage returns": "\r" * 1_000_000,
    "tag directives": "".join(f"%TAG !{n}! tag:x,{n}:\n" for n in range(30_000)) + "--- a\n",
    "a short tag for a long one": f"%TAG !e! tag:{'x' * 400_000}\n---\n" + "- !e!a 1\n" * 60_000,
    "a gigabyte in little": "x" * 30_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_hurt_is_read_or_refused_in_time(name: str, tmp_path: Path):
    content = HOSTILE[name]
    path = tmp_path / "hostile.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read(path).split()[0] in ("read", "refused")


@pytest.mark.parametrize(
    "name", ["aliases of aliases", "merges that grow", "a long merge, often", "a long text, often"]
)
def test_what_explodes_is_refused_for_that_reason(name: str, tmp_path: Path):
    path = tmp_path / "hostile.yml"
    path.write_text(HOSTILE[name])
    assert "values after its aliases are written out" in read(path) or "nests deeper" in read(path)


def test_every_hostile_file_of_the_contracts_is_read_or_refused_in_time():
    contracts = os.environ.get("CONDUCTOR_CONTRACTS")
    if not contracts:
        pytest.skip("CONDUCTOR_CONTRACTS names no folder of contracts")
    files = sorted(Path(contracts, "security", "yaml").glob("*.yml"))
    answers = {path.name: read(path) for path in files}
    assert len(answers) > 20
    assert {name for name, answer in answers.items() if answer == "read"} == {
        "bidi.yml", "big-keys.yml", "bom.yml", "empty.yml", "interp.yml", "list.yml", "merge-bomb.yml", "multi-doc.yml",
        "norway.yml", "privileged.yml", "scalar.yml", "sexagesimal.yml", "svc-names.yml",
    }  # fmt: skip
