"""The fake engine keeps the laws of `ports.engine`, as the real ones do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.contract.engine_contract import EngineContract

from conductor.adapters.fake.clock import FakeClock
from conductor.adapters.fake.engine import FakeEngine
from conductor.adapters.fake.machine import Machine
from conductor.adapters.fake.misfortunes import Misfortune
from conductor.domain.stack import Healthcheck, Service
from conductor.ports.engine import Place


class FakeSubject:
    """Two instances on one fake machine, in memory or in a file."""

    mixes_streams = False

    def __init__(self, machine: Machine) -> None:
        clock = FakeClock()
        self.engine = FakeEngine(machine=machine, clock=clock, misfortunes=())
        self.other = FakeEngine(machine=machine, clock=clock, instance="other", misfortunes=())
        self.place = Place(namespace="conductor-contract-aaaaaa", run="contract-aaaaaa")

    def stays(self, name: str) -> Service:
        return _shell(name, "sleep infinity")

    def ends(self, name: str, code: int) -> Service:
        return _shell(name, f"exit {code}")

    def says(self, name: str, *lines: str, complains: str = "") -> Service:
        said = "; ".join(f"echo '{line}'" for line in lines)
        return _shell(name, f"{said}; echo {complains} >&2" if complains else said)

    def lacks_image(self, name: str) -> Service:
        self.engine.befall(Misfortune(where="deploy", name=name, what="ImagePullBackOff"))
        return self.stays(name)

    def lacks_program(self, name: str) -> Service:
        self.engine.befall(Misfortune(where="deploy", name=name, what="CommandNotFound"))
        return self.stays(name)

    def checked(self, name: str, *, well: bool) -> Service:
        check = Healthcheck(
            test=("CMD", "true" if well else "false"), interval=timedelta(seconds=1), retries=2
        )
        return Service(name=name, image="app", command=("sleep", "infinity"), healthcheck=check)

    def leaves(self, name: str, *files: str, code: int) -> Service:
        return _shell(name, "; ".join(f"echo x > {file}" for file in files) + f"; exit {code}")


def _shell(name: str, script: str) -> Service:
    return Service(name=name, image="app", command=("sh", "-c", script))


class TestFakeEngine(EngineContract):
    @pytest.fixture(params=["in memory", "in a file"])
    def subject(self, request: pytest.FixtureRequest, tmp_path: Path) -> FakeSubject:
        return FakeSubject(Machine(tmp_path / "machine.json" if request.param == "in a file" else None))
