"""Bad input and bad luck, through the command line as a user meets them: what is said, what is answered, what is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.shop import conductor

LIMIT_SECONDS = 90
TICKING = "for i in 1 2 3 4 5 6; do echo tick $i; sleep 1; done"
SHORTEST_DISK = "4m"

pytestmark = [pytest.mark.timeout(200)]


@dataclass(frozen=True)
class Desk:
    """A user's desk: a state folder, and what is in the environment."""

    state: Path
    environment: Mapping[str, str]

    def says(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Give a command and return all that it says."""
        done = subprocess.run(
            [*conductor(), *arguments], env=self._with(variables), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    def begins(self, *arguments: str, until: str, **variables: str) -> subprocess.Popen[str]:
        """Give a command and return once it has said `until`."""
        process = subprocess.Popen(
            [*conductor(), *arguments], env=self._with(variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                return process
        raise AssertionError(f"it never said {until!r}: {''.join(said)[-2000:]}")

    def containers(self) -> str:
        """Name the containers of this desk's runs."""
        return self.says("stacks", "list", "--json").stdout

    def _with(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**self.environment, "CONDUCTOR_STATE": str(self.state), "COLUMNS": "200", **variables}


def end_of(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert "Traceback" not in said, said
    return said


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "state", dict(os.environ))


def repository(folder: Path, image: str, command: str = "echo fine", **service: object) -> Path:
    folder.mkdir()
    web = {"image": image, "command": ["sleep", "600"], "stop_grace_period": "0s", **service}
    (folder / "docker-compose.qa.yml").write_text(json.dumps({"services": {"web": web}}))
    plan = {"version": 1, "tests": {"image": image, "command": command}, "cleanup": "always"}
    (folder / ".conductor.yaml").write_text(json.dumps(plan))
    return folder


@pytest.fixture
def without_engine(tmp_path: Path) -> str:
    """A PATH on which there is git, and no container engine."""
    if any(Path(one).exists() for one in ("/var/run/docker.sock", "/run/podman/podman.sock")):
        pytest.skip("an engine listens on a usual socket of this machine")
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("git", "sh"):
        (folder / program).symlink_to(shutil.which(program) or program)
    return str(folder)


def test_without_an_engine_the_run_is_refused_at_once_and_leaves_no_record(
    tmp_path: Path, desk: Desk, without_engine: str
):
    folder = repository(tmp_path / "app", "redis:7")
    done = desk.says("run", str(folder), PATH=without_engine, DOCKER_HOST="")
    assert (done.returncode, done.stdout) == (4, "")
    assert "no container engine was found" in done.stderr
    assert "Install Docker or Podman" in done.stderr
    assert json.loads(desk.says("runs", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("unix:///nowhere/engine.sock", 4, "the engine does not answer"),
        ("tcp://127.0.0.1:1", 4, "the engine does not answer"),
        ("/nowhere/engine.sock", 2, "cannot be used"),
        ("tcp:///nowhere", 2, "cannot be used"),
        ("ssh://nowhere", 2, "cannot be used"),
    ],
)
def test_an_engine_that_cannot_be_reached_is_no_run_and_a_wrong_address_is_a_mistake_of_usage(
    tmp_path: Path, desk: Desk, address: str, code: int, said: str
):
    folder = repository(tmp_path / "app", "redis:7")
    done = desk.says("run", str(folder), "--json", DOCKER_HOST=address)
    problem = json.loads(done.stdout)
    assert (done.returncode, problem["exit_code"]) == (code, code)
    assert said in problem["detail"]
    assert problem["remedy"]


def test_files_that_are_wrong_are_said_where_there_is_no_engine(tmp_path: Path, desk: Desk):
    folder = repository(tmp_path / "app", "redis:7")
    (folder / ".conductor.yaml").write_text("version: 1\nstuck: {}\n")
    done = desk.says("run", str(folder), DOCKER_HOST="unix:///nowhere/engine.sock")
    assert done.returncode == 2
    assert "stuck" in done.stderr
    assert json.loads(desk.says("runs", "list", "--json", DOCKER_HOST="").stdout) == []


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("nothere", "there is no folder"),
        ("app/.conductor.yaml", "there is no folder"),
        ("git@nowhere.invalid:a/b", "over https or from a folder"),
        ("ext::sh -c true", "there is no folder"),
    ],
)
def test_what_is_no_repository_is_said_before_anything_starts(
    tmp_path: Path, desk: Desk, location: str, said: str
):
    repository(tmp_path / "app", "redis:7")
    done = desk.says("run", location if "@" in location else str(tmp_path / location))
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("services: {web: [", "this is no YAML"),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", "a -> b"),
        ("services: {a: {image: x, depends_on: [bb]}}", "bb"),
        ("services: {a: {image: x, volumes: ['../../etc:/x']}}", "../../etc"),
        (f"services: {{{'a' * 64}: {{image: x}}}}", "is no name of a service"),
        ('services: {"a\\u202eb": {image: x}}', "is no name of a service"),
    ],
)
def test_a_wrong_compose_file_is_said_with_its_line_by_check(
    tmp_path: Path, desk: Desk, services: str, said: str
):
    folder = repository(tmp_path / "app", "redis:7")
    (folder / "docker-compose.qa.yml").write_text(services)
    done = desk.says("check", str(folder))
    assert done.returncode == 2
    assert "docker-compose.qa.yml:" in done.stderr
    assert said in done.stderr


@pytest.mark.engine
def test_a_broken_file_ends_the_run_with_2_and_nothing_stands(tmp_path: Path, desk: Desk, busybox: str):
    folder = repository(tmp_path / "app", busybox)
    (folder / "docker-compose.qa.yml").write_text("services: {web: [")
    done = desk.says("run", str(folder), "--json")
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, outcome["reason"]) == (2, "InvalidConfiguration")
    assert json.loads(desk.containers()) == []


@pytest.mark.engine
def test_a_tag_that_looks_like_an_option_of_git_is_run_and_runs_nothing(
    tmp_path: Path, desk: Desk, busybox: str
):
    folder = repository(tmp_path / "app", busybox)
    proof = tmp_path / "proof"
    tag = f"--upload-pack=touch${{IFS}}{proof}"
    me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    for command in (
        ("init", "-q"), ("add", "-A"), (*me, "commit", "-qm", "app"), ("update-ref", f"refs/tags/{tag}", "HEAD"),
    ):  # fmt: skip
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=30)
    for location in (str(folder), f"file://{folder}"):
        assert desk.says("run", location, f"--ref={tag}").returncode == 0
        assert not proof.exists()


@pytest.mark.engine
def test_a_port_that_is_taken_is_named_and_nothing_stands(tmp_path: Path, desk: Desk, busybox: str):
    folder = repository(tmp_path / "app", busybox)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = desk.says("run", str(folder), "--publish", f"web:80={port}", "--json")
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, outcome["reason"]) == (3, "PortInUse")
    assert str(port) in outcome["message"]
    assert outcome["remedy"]
    assert json.loads(desk.containers()) == []


@pytest.mark.engine
def test_the_engine_killed_while_tests_run_is_started_again_and_the_verdict_is_theirs(
    tmp_path: Path, desk: Desk, busybox: str
):
    process = desk.begins("run", str(repository(tmp_path / "app", busybox, TICKING)), until="tick 2")
    _kill_service(desk.state)
    said = end_of(process)
    assert process.returncode == 0, said
    assert "tick 6" in said


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_closes_leaves_a_run_that_resume_brings_to_its_verdict(
    tmp_path: Path, desk: Desk, busybox: str, number: signal.Signals
):
    process = desk.begins("run", str(repository(tmp_path / "app", busybox, TICKING)), until="tick 2")
    process.send_signal(number)
    assert "conductor runs resume" in end_of(process)
    assert process.returncode == 130
    assert desk.says("runs", "resume").returncode == 0
    assert json.loads(desk.containers()) == []


@pytest.mark.engine
def test_ctrl_c_gives_the_tests_their_grace_and_cleans_up(tmp_path: Path, desk: Desk, busybox: str):
    command = f"trap 'echo got the signal; exit 1' TERM; {TICKING}"
    process = desk.begins("run", str(repository(tmp_path / "app", busybox, command)), until="tick 2")
    process.send_signal(signal.SIGINT)
    said = end_of(process)
    assert process.returncode == 130, said
    assert "CANCELLED" in said
    assert json.loads(desk.containers()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that is soon full; skips where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SHORTEST_DISK}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    _kill_service(folder / "state")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    file = disk / "fill"
    with file.open("wb", buffering=0) as handle:
        try:
            while handle.write(bytes(1024)):
                pass
        except OSError:
            return file
    return file


def test_a_full_disk_is_said_before_anything_starts(tmp_path: Path, small_disk: Path):
    desk = Desk(small_disk / "state", {**os.environ, "CONDUCTOR_ENGINE": "fake"})
    fill(small_disk)
    done = desk.says("run", str(repository(tmp_path / "app", "redis:7")))
    assert done.returncode == 3
    assert "the disk is full" in done.stderr
    assert "Free some space" in done.stderr


def test_doctor_looks_on_when_the_disk_is_full(small_disk: Path):
    desk = Desk(small_disk / "state", {**os.environ, "CONDUCTOR_ENGINE": "fake"})
    fill(small_disk)
    done = desk.says("doctor", "--json")
    looked_at = {one["subject"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 3
    assert (looked_at["records"]["ok"], looked_at["engine"]["ok"]) == (False, True)
    assert "No space left" in looked_at["records"]["detail"]
    assert "Free disk space" in looked_at["records"]["remedy"]


@pytest.mark.engine
def test_a_disk_that_gets_full_while_tests_run_stops_the_run_and_resume_goes_on_once_there_is_room(
    tmp_path: Path, busybox: str, small_disk: Path
):
    desk = Desk(small_disk / "state", dict(os.environ))
    process = desk.begins("run", str(repository(tmp_path / "app", busybox, TICKING)), until="tick 2")
    filled = fill(small_disk)
    said = end_of(process)
    assert process.returncode == 3, said
    assert "the disk is full" in said
    filled.unlink()
    done = desk.says("runs", "resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(desk.containers()) == []


@pytest.mark.engine
def test_logs_of_a_kept_stack_show_no_secret_whichever_process_reads_them(
    tmp_path: Path, desk: Desk, busybox: str
):
    folder = repository(tmp_path / "app", busybox, command="echo the key is $KEY")
    plan = json.loads((folder / ".conductor.yaml").read_text()) | {"secrets": ["KEY"]}
    (folder / ".conductor.yaml").write_text(json.dumps(plan))
    value = "zebra-crossing-4711"
    file = tmp_path / "qa.env"
    file.write_text(f"KEY_QA={value}\n")
    assert desk.says("run", str(folder), "--no-cleanup", "--env-file", str(file)).returncode == 0
    (run,) = json.loads(desk.says("runs", "list", "--json").stdout)
    logs = desk.says("stacks", "logs", run["id"])
    assert "the key is ***" in logs.stdout
    file.unlink()
    refused = desk.says("stacks", "logs", run["id"])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "conductor runs logs" in refused.stderr
    written = [file.read_bytes() for file in desk.state.rglob("*") if file.is_file()]
    assert not any(value.encode() in content for content in written)
    assert desk.says("stacks", "delete", run["id"]).returncode == 0


def _kill_service(state: Path) -> None:
    """Kill the engine's service that belongs to this state folder, and no other."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, NotADirectoryError):
            continue
        if words[1:3] == ["system", "service"] and any(str(state) in word for word in words):
            os.kill(int(entry.name), signal.SIGKILL)
