"""The command line against a real server in a process of its own: the same answers as on the server's own machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
CONDUCTOR = [sys.executable, "-m", "conductor.cli.main"]
LONGEST = 60
NOBODY = "http://127.0.0.1:9"
QUIET = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


AServer = TypeVar("AServer", bound="Server")


@dataclass
class Server:
    """A server on the fake engine that knows one repository, and how its machine and others ask it."""

    folder: Path
    fail: str = ""
    process: subprocess.Popen[str] | None = None
    url: str = ""
    token: str = ""

    def start(self, listen: str = "127.0.0.1:0") -> None:
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*CONDUCTOR, "serve", "--listen", listen],
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(r"listening on (http://\S+)", line):
                self.url = found[1]
                return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        assert self.process
        assert self.process.stdout
        self.process.kill()
        self.process.wait(LONGEST)
        self.process.stdout.close()

    def environment(self) -> dict[str, str]:
        return _plain() | {
            "CONDUCTOR_STATE": str(self.folder / "state"),
            "CONDUCTOR_ENGINE": "fake",
            "CONDUCTOR_FAIL": self.fail,
            "CONDUCTOR_REPOSITORIES": str(self.folder / "repositories"),
            "CONDUCTOR_FOLDER_SECRET": "a secret of thirty-two characters",
            "CONDUCTOR_ALLOW": "acme/*",
            "CONDUCTOR_WORKSPACE_IMAGE": "localhost/dev:1",
        }

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.environment(), *arguments)

    def there(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return _run(self.asking() | more, *arguments)

    def asking(self) -> dict[str, str]:
        config = {"XDG_CONFIG_HOME": str(self.folder / "config")}
        return _plain() | config | {"CONDUCTOR_SERVER": self.url, "CONDUCTOR_TOKEN": self.token}

    def follow(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*CONDUCTOR, *arguments],
            env=self.asking(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _plain() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")}
    return kept | QUIET | {"PYTHONUNBUFFERED": "1"}


def _run(environment: dict[str, str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONDUCTOR, *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], cwd=folder, env=_plain(), check=True, capture_output=True, timeout=LONGEST
    )


def served(folder: Path, fail: str = "", *, kind: type[AServer] = Server) -> Iterator[AServer]:
    (folder / "repositories" / "acme").mkdir(parents=True)
    shutil.copytree(SHOP, folder / "shop")
    bare = folder / "repositories" / "acme" / "shop.git"
    _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git(folder / "shop", "init", "--quiet", "--initial-branch=main")
    _git(folder / "shop", "add", "-A")
    _git(folder / "shop", "commit", "--quiet", "-m", "Shop")
    _git(folder / "shop", "tag", "v1")
    _git(folder / "shop", "push", "--quiet", str(bare), "main", "v1")
    server = kind(folder, fail)
    try:
        server.start()
        made = server.here("tokens", "create", "ada", "--role", "admin")
        assert made.returncode == 0, made.stderr
        server.token = made.stdout.strip()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def ran(server: Server) -> list[dict[str, object]]:
    """What a green run told, asked for and followed from elsewhere."""
    ended = server.there("run", "acme/shop", "--ref", "v1", "--no-cleanup", "--json")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Server]:
    yield from served(tmp_path, fail="tests:hangs")


def test_a_run_on_a_server_is_followed_to_its_verdict(ran: list[dict[str, object]]):
    numbers = [event["seq"] for event in ran[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert ran[-2]["kind"] == "run.ended"
    assert (ran[-1]["kind"], ran[-1]["verdict"], ran[-1]["exit_code"]) == ("outcome", "passed", 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list", "--json"),
        ("runs", "list"),
        ("runs", "show", "RUN", "--json"),
        ("runs", "show", "RUN"),
        ("runs", "show"),
        ("runs", "logs", "RUN"),
        ("runs", "logs", "RUN", "--json"),
        ("runs", "logs", "RUN", "--tail", "3"),
        ("runs", "logs", "RUN", "--follow", "--tail", "3"),
        ("runs", "events", "RUN"),
        ("runs", "events", "RUN", "--after", "4", "--json"),
        ("runs", "events", "RUN", "--after", "4", "--json", "--follow"),
        ("runs", "report", "RUN"),
        ("runs", "report", "RUN", "--json"),
        ("runs", "report", "RUN", "--format", "markdown"),
        ("runs", "report", "RUN", "--format", "digest"),
    ],
    ids=" ".join,
)
def test_a_server_is_answered_for_as_its_own_machine_would(
    server: Server, ran: list[dict[str, object]], arguments: tuple[str, ...]
):
    named = [str(ran[0]["run"]) if argument == "RUN" else argument for argument in arguments]
    here, there = server.here(*named), server.there(*named)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)
    assert _timeless(there.stdout) == _timeless(here.stdout)
    assert here.stdout


def _timeless(text: str) -> str:
    """Leave out how long ago things were: a second may pass between two questions."""
    return re.sub(r" +", " ", re.sub(r"\b\d+ (s|min)\b", "N", text))


def test_a_stack_is_kept_longer_and_removed_from_elsewhere(server: Server, ran: list[dict[str, object]]):
    run = str(ran[0]["run"])
    before = json.loads(server.there("stacks", "list", run, "--json").stdout)[0]["lease"]["expires_at"]
    extended = json.loads(server.there("stacks", "extend", run, "--by", "2h", "--json").stdout)
    assert extended["expires_at"] > before
    for verb, status in (("pin", "kept"), ("release", "kept"), ("sleep", "sleeping"), ("wake", "kept")):
        changed = server.there("stacks", verb, run, "--json")
        assert changed.returncode == 0, changed.stdout + changed.stderr
        assert json.loads(changed.stdout)["status"] == status
    again = server.there("run", "acme/shop", "--ref", "v1", "--no-cleanup", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(server.there("runs", "show", run, "--json").stdout)["attempt"] == 2
    assert server.there("stacks", "delete", "--all").returncode == 0
    assert server.there("stacks", "list", "--json").stdout == "[]\n"


@pytest.fixture(scope="module")
def environment(server: Server) -> str:
    """A development environment that was asked for from elsewhere."""
    asked = server.there("env", "request", "acme/shop", "--branch", "fix", "--for", "2h", "--json")
    assert asked.returncode == 0, asked.stderr + asked.stdout
    told = json.loads(asked.stdout)
    assert told["row"]["state"]["status"] == "ready"
    assert told["row"]["environment"]["principal"] == "token:ada"
    return str(told["row"]["environment"]["id"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("env", "list"),
        ("env", "list", "--json"),
        ("env", "show", "ENV"),
        ("env", "show", "ENV", "--json"),
        ("env", "logs", "ENV"),
        ("env", "exec", "ENV", "--", "sh", "-c", "echo out; echo err >&2; exit 3"),
        ("env", "show", "nobody"),
    ],
    ids=" ".join,
)
def test_an_environment_of_a_server_is_answered_for_as_its_own_machine_would(
    server: Server, environment: str, arguments: tuple[str, ...]
):
    named = [environment if argument == "ENV" else argument for argument in arguments]
    here, there = server.here(*named), server.there(*named)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)
    assert _timeless(there.stdout) == _timeless(here.stdout)


def test_an_environment_is_worked_in_kept_longer_and_released_from_elsewhere(
    server: Server, environment: str, tmp_path: Path
):
    again = server.there("env", "request", "acme/shop", "--branch", "fix", "--json")
    assert json.loads(again.stdout)["row"]["environment"]["id"] == environment, "the same request again"
    said = _run(server.asking(), "env", "exec", environment, "--", "cat", given="Café\n")
    assert (said.returncode, said.stdout) == (0, "Café\n")
    (tmp_path / "notes.md").write_text("Round half to even.\n")
    assert server.there("env", "cp", str(tmp_path / "notes.md"), f"{environment}:docs/n.md").returncode == 0
    assert server.there("env", "cp", f"{environment}:docs/n.md", str(tmp_path / "back.md")).returncode == 0
    assert (tmp_path / "back.md").read_text() == "Round half to even.\n"
    before = json.loads(server.there("env", "show", environment, "--json").stdout)["lease"]["expires_at"]
    extended = json.loads(server.there("env", "extend", environment, "--by", "2h", "--json").stdout)
    assert extended["lease"]["expires_at"] > before
    for verb, status in (("sleep", "sleeping"), ("wake", "ready"), ("release", "released")):
        changed = server.there("env", verb, environment, "--json")
        assert changed.returncode == 0, changed.stdout + changed.stderr
        assert json.loads(changed.stdout)["row"]["state"]["status"] == status
    assert server.there("env", "list").stdout == "There is no environment.\n"
    assert environment in server.there("env", "list", "--all").stdout


def test_logs_of_an_environment_are_followed_until_its_workspace_stops(server: Server):
    asked = json.loads(server.there("env", "request", "acme/shop", "--branch", "logs", "--json").stdout)
    name = asked["row"]["environment"]["id"]
    following = server.follow("env", "logs", name, "--follow", "--json")
    assert server.there("env", "release", name).returncode == 0
    out, problems = following.communicate(timeout=LONGEST)
    over = following.returncode == 2 and "released" in problems  # it came too late
    assert following.returncode == 0 or over, problems
    assert all(json.loads(line)["workload"] == "workspace" for line in out.splitlines())


def test_the_queue_is_shown(server: Server, ran: list[dict[str, object]]):
    assert "Nothing runs and nothing waits." in server.there("queue").stdout
    assert json.loads(server.there("queue", "--json").stdout)["draining"] is False


def test_a_token_is_kept_for_its_user_alone_and_forgotten(server: Server, tmp_path: Path):
    environment = _plain() | {"XDG_CONFIG_HOME": str(tmp_path)}
    kept = _run(environment, "login", server.url + "/", given=server.token + "\n")
    assert (kept.returncode, kept.stderr) == (0, "")
    assert server.token not in kept.stdout
    (file,) = (tmp_path / "conductor" / "servers").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _run(environment, "--server", server.url, "runs", "list").returncode == 0
    assert _run(environment, "logout", server.url).returncode == 0
    refused = _run(environment, "--server", server.url, "runs", "list")
    assert refused.returncode == 2
    assert f"conductor login {server.url}" in refused.stderr


def test_a_wrong_token_answers_2_and_is_not_kept(server: Server, tmp_path: Path):
    environment = _plain() | {"XDG_CONFIG_HOME": str(tmp_path)}
    refused = _run(environment, "login", server.url, given="cdr_aaaaaaaa_wrong\n")
    assert refused.returncode == 2
    assert "does not take the token" in refused.stderr
    assert "wrong" not in refused.stderr.replace("the token", "")
    assert list(tmp_path.iterdir()) == []
    assert server.there("runs", "list", CONDUCTOR_TOKEN="cdr_aaaaaaaa_wrong").returncode == 2


def test_no_server_answers_4_with_what_to_do(server: Server):
    away = server.there("--server", NOBODY, "runs", "list", "--json")
    told = json.loads(away.stdout)
    assert (away.returncode, told["code"]) == (4, "unreachable")
    assert "conductor serve" in told["remedy"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "show", "nobody"), "no run"),
        (("runs", "logs", "nobody", "--follow"), "no run"),
        (("run", "."), "not folders of this machine"),
        (("run", "acme/shop"), "a tag, a branch or a commit"),
        (("run", "acme/shop", "--ref", "v1", "--publish", "web:80"), "of this machine"),
        (("run", "other/shop", "--ref", "v1"), "allowed"),
        (("runs", "resume"), "this machine's own records"),
        (("env", "request"), "not of folders of this machine"),
        (("env", "request", "acme/shop", "--env-file", "a.env"), "of this machine"),
        (("env", "request", "acme/nothing"), "no repository"),
        (("env", "exec", "nobody", "true"), "no environment"),
        (("--server", "conductor.example", "runs", "list"), "no address of a server"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_server_cannot_do_answers_2_and_says_why(
    server: Server, arguments: tuple[str, ...], said: str
):
    ended = server.there(*arguments)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr


def test_ctrl_c_cancels_the_servers_run(hanging: Server):
    process = hanging.follow("run", "acme/shop", "--ref", "v1", "--cleanup", "always", "--json")
    _until(process, "suite.started")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["verdict"] == "cancelled"


def test_who_follows_goes_on_when_the_server_comes_back_and_misses_nothing(hanging: Server):
    process = hanging.follow("run", "acme/shop", "--ref", "v1", "--cleanup", "always", "--json")
    told = _until(process, "suite.started")
    run = str(told[0]["run"])
    hanging.kill()
    hanging.start(hanging.url.removeprefix("http://"))
    assert hanging.there("runs", "cancel", run).returncode == 0
    out, problems = process.communicate(timeout=LONGEST)
    told += [json.loads(line) for line in out.splitlines()]
    numbers = [event["seq"] for event in told[:-1]]
    assert numbers == list(range(1, len(numbers) + 1)), problems
    assert told[-1]["verdict"] == "cancelled"


def _until(process: subprocess.Popen[str], kind: str) -> list[dict[str, object]]:
    """Read events until one of that kind has come."""
    told: list[dict[str, object]] = []
    assert process.stdout
    for line in process.stdout:
        told.append(json.loads(line))
        if told[-1].get("kind") == kind:
            return told
    assert process.stderr
    raise AssertionError(f"it ended before {kind}: {process.stderr.read()}")
