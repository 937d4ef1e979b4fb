"""The docker engine keeps the laws of `ports.engine`, and some of its own, on the engine of this machine."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.contract.engine_contract import (
    QUICK_CHECK,
    EngineContract,
    TerminalContract,
    all_of,
    at_last,
    ended,
    lease,
    raise_,
    running,
    texts,
)
from tests.engines import belongings

from conductor.adapters.docker.connection.client import Connection
from conductor.adapters.docker.connection.service import PodmanService
from conductor.adapters.docker.diagnosis import look_at_engine
from conductor.adapters.docker.engine import DockerEngine
from conductor.domain.masking import Masker
from conductor.domain.stack import (
    BindMount,
    Dependency,
    FileMount,
    Hook,
    Job,
    Network,
    Resources,
    Restart,
    SecretText,
    Service,
    Stack,
    TmpfsMount,
    Volume,
    VolumeMount,
)
from conductor.domain.states import Phase
from conductor.domain.verdict import Fault, Reason
from conductor.errors import ConflictError, NotFoundError, RefusedError, UnreachableError
from conductor.ports.engine import PARTIAL_ENTRY, Place

pytestmark = pytest.mark.engine
SHORT = timedelta(seconds=0.1)
SECRET_URL = SecretText(parts=("x://", "TOKEN", "@y"))


class KnownSecrets:
    """Secrets that are known from the beginning."""

    def __init__(self, **values: str) -> None:
        self._values = values

    async def sync(self, run: object, names: object) -> object:
        raise NotImplementedError

    def value(self, run_id: str, name: str) -> str:
        return self._values[name]

    def masker(self, run_id: str) -> Masker:
        return Masker(self._values.values())


@dataclass
class DockerSubject:
    engine: DockerEngine
    other: DockerEngine
    place: Place
    image: str
    connection: Connection
    instance: str
    mixes_streams: bool = False

    def does(self, name: str, script: str, **more: object) -> Service:
        return Service(
            name=name, image=self.image, command=("sh", "-c", script), stop_grace_period=SHORT, **more
        )

    def stays(self, name: str) -> Service:
        return self.does(name, "exec sleep 1000")

    def ends(self, name: str, code: int) -> Service:
        return self.does(name, f"exit {code}")

    def says(self, name: str, *lines: str, complains: str = "") -> Service:
        said = "".join(f"echo '{line}';" for line in lines)
        return self.does(name, said + (f"echo '{complains}' >&2" if complains else ""))

    def lacks_image(self, name: str) -> Service:
        return Service(name=name, image="localhost/conductor-test/nowhere:1")

    def lacks_program(self, name: str) -> Service:
        return Service(name=name, image=self.image, command=("/no/such/program",))

    def checked(self, name: str, *, well: bool) -> Service:
        check = replace(QUICK_CHECK, test=("CMD", "true" if well else "false"))
        return replace(self.stays(name), healthcheck=check)

    def leaves(self, name: str, *files: str, code: int) -> Service:
        made = "".join(f"mkdir -p $(dirname {file}); echo x > {file};" for file in files)
        return self.does(name, f"{made} exit {code}", working_dir="/work")


@pytest.fixture
async def subject(engine_state: Path, busybox: str, tmp_path: Path) -> AsyncIterator[DockerSubject]:
    connection = Connection(state_folder=engine_state)
    name = f"t{uuid4().hex[:10]}"
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    secrets = KnownSecrets(TOKEN="t0ps3cret", UNUSED="x")
    made = DockerSubject(
        engine=DockerEngine(connection, instance=name, state_folder=tmp_path / "marks", secrets=secrets),
        other=DockerEngine(connection, instance=f"{name}-other", state_folder=tmp_path / "others-marks"),
        place=Place(namespace=f"conductor-{name}", run=name, checkout=str(checkout)),
        image=busybox,
        connection=connection,
        instance=name,
    )
    try:
        yield made
    finally:
        for namespace in await made.engine.namespaces():
            await made.engine.delete_namespace(namespace.name)
        left = await belongings(connection, name)
        await connection.aclose()
    assert left == [], "nothing of an instance is left behind"


class TestDockerKeepsTheLaws(EngineContract, TerminalContract):
    pass


async def run_job(
    subject: DockerSubject, job: Service | Job, *services: Service, **stack: object
) -> list[str]:
    """Raise a stack, run a job in it to its end, and return what it wrote."""
    if isinstance(job, Service):
        job = Job(workload=job, time_limit=timedelta(minutes=1))
    whole = replace(await raise_(subject, *services), **stack)
    await subject.engine.start_job(subject.place, whole, job)
    return texts(await all_of(subject.engine.logs(subject.place, job.workload.name, follow=True)))


async def test_neighbours_are_reached_by_name_and_alias_on_ports_that_nobody_declared(subject: DockerSubject):
    web = subject.does(
        "web",
        "mkdir /www; echo well > /www/a; exec httpd -f -p 3001 -h /www",
        networks={"default": ("shop",)},
        container_name="the-web",
    )
    ask = "; ".join(
        f"until printf 'GET /a HTTP/1.0\\r\\n\\r\\n' | nc {name} 3001 | tail -1; do sleep 0.2; done"
        for name in ("web", "shop", "the-web")
    )
    assert await run_job(subject, subject.does("tests", ask), web) == ["well"] * 3


async def test_services_that_share_no_network_do_not_reach_each_other(subject: DockerSubject):
    front = replace(subject.stays("front"), networks={"a": ()})
    back = replace(subject.stays("back"), networks={"b": ()})
    both = Stack(name="two", services=(front, back), networks=(Network(name="a"), Network(name="b")))
    await subject.engine.create_namespace(subject.place, lease(subject.place))
    for service in both.services:
        await subject.engine.apply(subject.place, both, service)
    by_name = await subject.engine.exec(subject.place, "front", ["ping", "-c", "1", "-W", "1", "back"])
    assert by_name.exit_code == 1
    if not (
        await look_at_engine(await subject.connection.client())
    ).podman:  # netavark 1.4 loses its rule when any network goes
        address = (await subject.engine.url_of(subject.place, "back", 80)).split(":")[0]
        by_address = await subject.engine.exec(
            subject.place, "front", ["ping", "-c", "1", "-W", "1", address]
        )
        assert by_address.exit_code == 1
    job = Job(
        workload=subject.does("tests", "ping -c1 -W2 front && ping -c1 -W2 back"),
        time_limit=timedelta(minutes=1),
    )
    await subject.engine.start_job(subject.place, both, job)
    assert (await at_last(subject, ended("tests"))).exit_code == 0


async def test_lack_of_memory_is_named_even_where_a_shell_hides_the_kill(subject: DockerSubject):
    eats = subject.does(
        "eats", "tail -c 190m /dev/zero; exit 3", resources=Resources(memory_bytes=32 * 2**20)
    )
    await raise_(subject, eats)
    state = await at_last(subject, ended("eats"))
    assert (state.exit_code, state.reason) == (3, Reason.OOM_KILLED)
    assert "32 MiB" in state.message


async def test_a_kill_that_was_not_for_memory_is_not_called_so(subject: DockerSubject):
    killed = subject.does("web", "kill -9 $$", resources=Resources(memory_bytes=32 * 2**20))
    await raise_(subject, replace(killed, command=("sh", "-c", "sh -c 'kill -9 $$'; exit $?")))
    state = await at_last(subject, ended("web"))
    assert (state.exit_code, state.reason) == (137, None)


async def test_a_workload_that_somebody_removed_is_gone(subject: DockerSubject):
    await raise_(subject, subject.stays("web"))
    client = await subject.connection.client()
    await client.containers.container(f"{subject.place.namespace}-web").kill()
    await client.containers.container(f"{subject.place.namespace}-web").delete(force=True)
    state = await at_last(subject, ended("web"))
    assert (state.reason, state.fault) == (Reason.GONE, Fault.PLATFORM)


async def test_exec_keeps_streams_apart_takes_input_and_answers_with_the_exit_code(subject: DockerSubject):
    await raise_(subject, subject.stays("web"))
    done = await subject.engine.exec(
        subject.place, "web", ["sh", "-c", "cat; echo no >&2; exit 7"], stdin=b"in\0\xff" * 100_000
    )
    assert (done.exit_code, done.stdout, done.stderr) == (7, b"in\0\xff" * 100_000, b"no\n")


async def test_exec_that_takes_too_long_is_ended_with_124(subject: DockerSubject):
    await raise_(subject, subject.stays("web"))
    done = await subject.engine.exec(
        subject.place, "web", ["sh", "-c", "echo begun; exec sleep 987"], timeout=timedelta(seconds=1)
    )
    assert (done.exit_code, done.stdout) == (124, b"begun\n")
    left = await subject.engine.exec(subject.place, "web", ["ps"])
    assert b"987" not in left.stdout


async def test_files_go_in_and_come_out_and_what_is_not_there_is_not_found(subject: DockerSubject):
    await raise_(subject, subject.stays("web"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("note.txt")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    await subject.engine.copy_in(subject.place, "web", "/tmp", packed.getvalue())
    out = b"".join(await all_of(subject.engine.copy_out(subject.place, "web", "/tmp/note.txt")))
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        assert archive.extractfile("note.txt").read() == b"hello"
    with pytest.raises(NotFoundError):
        await all_of(subject.engine.copy_out(subject.place, "web", "/nowhere"))


async def test_mounts_are_there_with_their_modes(subject: DockerSubject):
    folder = Path(subject.place.checkout) / "conf"
    folder.mkdir()
    (folder / "app.conf").write_text("from the repository")
    job = subject.does(
        "tests",
        "cat /conf/app.conf; echo; stat -c '%a %u %s' /run/s/token /tmp/t; cat /run/s/token; echo; touch /data/x && echo kept;"
        " touch /conf/y 2>/dev/null || echo guarded; df -k /tmp | tail -1 | tr -s ' ' | cut -d' ' -f2; cat /tmp/t",
        mounts=(
            BindMount(source="conf", target="/conf", read_only=True),
            VolumeMount(volume="data", target="/data"),
            FileMount(
                target="/run/s/token",
                content=SecretText(parts=("a-", "TOKEN", "-b")),
                mode=0o440,
                uid=65534,
                secret=True,
            ),
            TmpfsMount(target="/tmp", size_bytes=2**20),
            FileMount(target="/tmp/t", content="over memory", mode=0o644),
        ),
    )
    assert await run_job(subject, job, volumes=(Volume(name="data"),)) == [
        "from the repository",
        "440 65534 13",
        "644 0 11",
        "a-t0ps3cret-b",
        "kept",
        "guarded",
        "1024",
        "over memory",
    ]


async def test_secrets_reach_whom_they_are_for_and_are_shown_to_nobody(subject: DockerSubject):
    job = subject.does(
        "tests",
        "echo $TOKEN $URL",
        secret_keys=("TOKEN",),
        environment={"URL": SecretText(parts=("x://", "TOKEN", "@y"))},
    )
    stack = Stack(name="s", services=(job,))
    assert "t0ps3cret" not in str(subject.engine.render(subject.place, stack))
    assert "x://${TOKEN}@y" in str(subject.engine.render(subject.place, stack))
    assert await run_job(subject, job) == ["t0ps3cret x://t0ps3cret@y"]


async def test_a_secret_without_a_value_is_a_state(subject: DockerSubject):
    await raise_(subject, replace(subject.stays("web"), secret_keys=("MISSING",)))
    state = (await subject.engine.states(subject.place))["web"]
    assert state.reason is Reason.SECRET_MISSING
    assert "MISSING" in state.message


@pytest.mark.parametrize("source", ["../outside", "link", "deep/../../outside"])
async def test_a_mount_that_leads_out_of_the_checkout_is_refused(subject: DockerSubject, source: str):
    checkout = Path(subject.place.checkout)
    (checkout.parent / "outside").mkdir()
    (checkout / "link").symlink_to("/etc")
    with pytest.raises(RefusedError):
        await raise_(subject, replace(subject.stays("web"), mounts=(BindMount(source=source, target="/x"),)))


async def test_limits_are_kept(subject: DockerSubject):
    job = subject.does(
        "tests",
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; ulimit -n; id -u",
        resources=Resources(memory_bytes=64 * 2**20, cpus=0.5, pids=40),
        ulimits={"nofile": (500, 10**9)},
        user="65534",
        cap_drop=("ALL",),
        read_only=True,
    )
    assert await run_job(subject, job) == [str(64 * 2**20), "500", "65534"]


async def test_a_port_is_published_on_request_and_only_on_this_machine(subject: DockerSubject):
    subject.place = replace(subject.place, publish=("web:3001",))
    web = subject.does("web", "mkdir /www; echo well > /www/a; exec httpd -f -p 3001 -h /www")
    await raise_(subject, web)
    await at_last(subject, running("web"))
    host, port = (await subject.engine.url_of(subject.place, "web", 3001)).split(":")
    assert host == "127.0.0.1"
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /a HTTP/1.0\r\n\r\n")
        assert b"well" in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_a_host_port_in_use_is_a_state_at_once(subject: DockerSubject):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        subject.place = replace(subject.place, publish=(f"web:80={port}",))
        await raise_(subject, subject.stays("web"))
        state = (await subject.engine.states(subject.place))["web"]
    assert (state.phase, state.reason) == (Phase.PENDING, Reason.PORT_IN_USE)
    assert str(port) in state.message


async def test_lines_longer_than_a_frame_and_lines_without_end_are_whole(subject: DockerSubject):
    job = subject.does(
        "tests", "head -c 50000 /dev/zero | tr '\\0' x; echo; printf part; sleep 0.3; echo ial; printf rest"
    )
    assert await run_job(subject, job) == ["x" * 50_000, "partial", "rest"]


async def test_restarts_are_one_log(subject: DockerSubject):
    subject_web = subject.does(
        "web",
        "echo run; test -e /tmp/2 && exec sleep 1000; test -e /tmp/1 && touch /tmp/2; touch /tmp/1; exit 1",
    )
    await raise_(subject, replace(subject_web, restart=Restart.ALWAYS))
    seen = []
    async with asyncio.timeout(30), aclosing(subject.engine.logs(subject.place, "web", follow=True)) as lines:
        async for line in lines:
            seen.append(line.text)
            if len(seen) == 3:
                break
    assert seen == ["run"] * 3


async def test_a_terminal_has_no_frames(subject: DockerSubject):
    assert await run_job(subject, subject.does("tests", "echo one; echo two >&2", tty=True)) == ["one", "two"]


async def test_a_symlink_among_artifacts_is_data_and_nothing_is_followed(subject: DockerSubject):
    job = Job(
        workload=subject.does(
            "tests",
            "mkdir out; ln -s /etc/passwd out/pw; ln -s / out/root; echo x > out/x",
            working_dir="/work",
        ),
        time_limit=timedelta(minutes=1),
        artifacts=("out/",),
    )
    await run_job(subject, job)
    archive = b"".join(await all_of(subject.engine.collect(subject.place, job)))
    with tarfile.open(fileobj=io.BytesIO(archive)) as collected:
        assert {m.name: m.linkname for m in collected} == {
            "out/pw": "/etc/passwd",
            "out/root": "/",
            "out/x": "",
        }


async def test_what_is_over_the_limit_is_left_out_and_said(subject: DockerSubject):
    subject.engine.collect_limit_bytes = 1000
    job = Job(
        workload=subject.does(
            "tests", "mkdir out; echo x > out/small; head -c 2000 /dev/zero > out/big", working_dir="/work"
        ),
        time_limit=timedelta(minutes=1),
        artifacts=("out/",),
    )
    await run_job(subject, job)
    archive = b"".join(await all_of(subject.engine.collect(subject.place, job)))
    with tarfile.open(fileobj=io.BytesIO(archive)) as collected:
        assert sorted(collected.getnames()) == [PARTIAL_ENTRY, "out/small"]
        assert b"out/big" in collected.extractfile(PARTIAL_ENTRY).read()


async def test_replicas_are_several_containers_under_one_name(subject: DockerSubject):
    await raise_(subject, replace(subject.says("web", "hello"), replicas=2))
    assert (await at_last(subject, ended("web"))).exit_code == 0
    assert texts(await all_of(subject.engine.logs(subject.place, "web", follow=True))) == ["hello", "hello"]


async def test_a_container_that_was_made_and_never_started_is_made_anew(subject: DockerSubject):
    stack = await raise_(subject)
    client = await subject.connection.client()
    labels = {
        "conductor.dev/instance": subject.instance,
        "conductor.dev/namespace": subject.place.namespace,
        "conductor.dev/workload": "web",
    }
    await client.containers.create(
        {"Image": subject.image, "Cmd": ["false"], "Labels": labels}, name=f"{subject.place.namespace}-web"
    )
    await subject.engine.apply(subject.place, stack, subject.stays("web"))
    await at_last(subject, running("web"))


async def test_a_watch_survives_the_loss_of_the_engines_service(subject: DockerSubject, engine_state: Path):
    service = PodmanService(engine_state)
    if (await subject.connection.client()).address != service.url:
        pytest.skip("the engine here is not one that Conductor starts")
    stack = await raise_(subject, subject.stays("web"))
    async with asyncio.timeout(40), aclosing(subject.engine.watch(subject.place)) as watch:
        async for states in watch:
            if states["web"].phase is Phase.RUNNING:
                break
        _kill_service(service.url)
        await subject.engine.apply(subject.place, stack, subject.stays("db"))
        async for states in watch:
            if "db" in states and states["db"].phase is Phase.RUNNING:
                break


async def test_a_followed_log_goes_on_after_the_loss_of_the_engines_service(
    subject: DockerSubject, engine_state: Path
):
    service = PodmanService(engine_state)
    if (await subject.connection.client()).address != service.url:
        pytest.skip("the engine here is not one that Conductor starts")
    await raise_(
        subject, subject.does("web", "echo one; until test -e /tmp/go; do sleep 0.1; done; echo two")
    )
    seen = []
    async with asyncio.timeout(40), aclosing(subject.engine.logs(subject.place, "web", follow=True)) as lines:
        async for line in lines:
            seen.append(line.text)
            if line.text == "one":
                _kill_service(service.url)
                await subject.engine.exec(subject.place, "web", ["touch", "/tmp/go"])
    assert seen == ["one", "two"]


def _kill_service(url: str) -> None:
    """End the one process that serves this address."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if url.encode() in command and b"service" in command:
            os.kill(int(process.name), 9)


async def test_an_engine_that_is_not_there_is_unreachable_with_a_remedy(tmp_path: Path):
    connection = Connection(state_folder=tmp_path, url=f"unix://{tmp_path}/nobody.sock")
    engine = DockerEngine(connection, instance="x", state_folder=tmp_path)
    with pytest.raises(UnreachableError) as raised:
        await engine.states(Place(namespace="conductor-x", run="x"))
    assert raised.value.remedy
    (line,) = await engine.diagnose()
    assert (line.ok, bool(line.remedy)) == (False, True)


@pytest.mark.parametrize(
    ("entrypoint", "command", "said"),
    [
        (("echo", "own"), None, ["own"]),
        (("echo",), ("a", "b"), ["a b"]),
        ((), ("echo", "plain"), ["plain"]),
    ],
)
async def test_an_entrypoint_of_its_own_leaves_the_images_command_out(
    subject: DockerSubject, entrypoint: tuple[str, ...], command: tuple[str, ...] | None, said: list[str]
):
    job = Service(name="tests", image=subject.image, entrypoint=entrypoint, command=command)
    assert await run_job(subject, job) == said


async def test_a_service_has_started_once_its_commands_after_the_start_are_over(subject: DockerSubject):
    slow = Hook(command=("sh", "-c", "sleep 0.5; echo $URL >/tmp/said"), environment={"URL": SECRET_URL})
    root = Hook(command=("sh", "-c", "cat /tmp/said; pwd; exit 0"), user="0", working_dir="/etc")
    await raise_(subject, replace(subject.stays("web"), post_start=(slow, root)))
    await at_last(subject, running("web"))
    read = await subject.engine.exec(subject.place, "web", ["cat", "/tmp/said"])
    assert read.stdout == b"x://t0ps3cret@y\n"


async def test_a_command_after_the_start_that_fails_says_what_it_said_without_its_secret(
    subject: DockerSubject,
):
    fails = Hook(command=("sh", "-c", "echo not at $URL; exit 4"), environment={"URL": SECRET_URL})
    never = Hook(command=("touch", "/tmp/never"))
    await raise_(subject, replace(subject.stays("web"), post_start=(fails, never)))
    state = (await subject.engine.states(subject.place))["web"]
    assert (state.reason, state.fault) == (Reason.ERROR, Fault.REPOSITORY)
    assert "post_start: `sh` exited with 4: not at x://" in state.message
    assert "t0ps3cret" not in state.message
    assert (await subject.engine.exec(subject.place, "web", ["test", "-e", "/tmp/never"])).exit_code == 1


async def test_commands_before_the_stop_are_over_before_its_signal(subject: DockerSubject):
    web = subject.does("web", "trap 'cat /tmp/said; echo ended; exit 0' TERM; while :; do sleep 0.1; done")
    drain = Hook(command=("sh", "-c", "sleep 0.3; echo drained >/tmp/said"))
    await raise_(subject, replace(web, pre_stop=(drain, Hook(command=("false",)))))
    await at_last(subject, running("web"))
    await subject.engine.stop(subject.place, "web", grace=timedelta(seconds=10))
    await at_last(subject, ended("web"))
    assert texts(await all_of(subject.engine.logs(subject.place, "web"))) == ["drained", "ended"]


async def test_a_service_whose_command_before_the_stop_fails_stays_awake_with_what_it_needs(
    subject: DockerSubject,
):
    """As with `docker-compose stop` (2.40). A time that is over ends it all the same."""
    wrong = (Hook(command=("sh", "-c", "echo hush; exit 4")), Hook(command=("touch", "/tmp/never")))
    db, web = subject.stays("db"), replace(subject.stays("web"), pre_stop=wrong)
    web, top = (
        replace(one, depends_on=(Dependency(service=on),))
        for one, on in ((web, "db"), (subject.stays("top"), "web"))
    )
    await raise_(subject, db, web, top, subject.stays("apart"))
    await at_last(
        subject, lambda states: all(running(name)(states) for name in ("db", "web", "top", "apart"))
    )

    for _ in range(2):
        with pytest.raises(ConflictError, match=r"web: pre_stop: `sh` exited with 4; db is needed by web$"):
            await subject.engine.sleep(subject.place)
        phases = {name: state.phase for name, state in (await subject.engine.states(subject.place)).items()}
        assert phases == {
            "db": Phase.RUNNING, "web": Phase.RUNNING, "top": Phase.SLEEPING, "apart": Phase.SLEEPING,
        }  # fmt: skip
    assert (await subject.engine.exec(subject.place, "web", ["test", "-e", "/tmp/never"])).exit_code == 1
    await subject.engine.wake(subject.place, "top")
    await at_last(subject, running("top"))
    await subject.engine.stop(subject.place, "web", grace=SHORT)
    await at_last(subject, ended("web"))


async def test_a_secret_of_a_command_after_the_start_that_has_no_value_is_a_state(subject: DockerSubject):
    hook = Hook(command=("true",), environment={"A": SecretText(parts=("", "MISSING", ""))})
    await raise_(subject, replace(subject.stays("web"), post_start=(hook,)))
    assert (await subject.engine.states(subject.place))["web"].reason is Reason.SECRET_MISSING


async def test_commands_after_the_start_run_once_more_when_a_stack_wakes(subject: DockerSubject):
    hook = Hook(command=("sh", "-c", "echo once >>/tmp/said"))
    await raise_(subject, replace(subject.stays("web"), post_start=(hook,)))
    await at_last(subject, running("web"))
    await subject.engine.sleep(subject.place)
    await subject.engine.wake(subject.place, "web")
    await at_last(subject, running("web"))
    read = await subject.engine.exec(subject.place, "web", ["cat", "/tmp/said"])
    assert read.stdout.split() == [b"once", b"once"]
