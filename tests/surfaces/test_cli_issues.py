"""Issues as they are typed, and two real servers on one Postgres whose agents race for them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.surfaces.test_remote_cli import Server, _run, served

SHOP = "acme/shop"
ROUNDS = 10


@dataclass
class Replica(Server):
    """A server that shares its database and its repositories with others, and has a state folder of its own."""

    database: str = ""
    name: str = "one"

    def environment(self) -> dict[str, str]:
        own = {"CONDUCTOR_STATE": str(self.folder / self.name), "CONDUCTOR_INSTANCE": "shared"}
        return super().environment() | own | {"CONDUCTOR_DATABASE": self.database}

    def agent(self, name: str) -> str:
        made = self.here("tokens", "create", name, "--role", "run", "--repository", SHOP)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE issues")
    beginning, _, query = postgres_server.partition("?")
    yield f"{beginning.rpartition('/')[0]}/issues?{query}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE issues WITH (FORCE)")


@pytest.fixture(scope="module")
def servers(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, Replica]]:
    folder = tmp_path_factory.mktemp("servers")

    def one(folder: Path, fail: str = "") -> Replica:
        return Replica(folder, fail, database=database)

    for first in served(folder, kind=one):  # type: ignore[arg-type] -- it makes one
        second = replace(first, name="two", process=None)
        second.start()
        try:
            yield first, second
        finally:
            second.kill()


def typed(server: Server, *arguments: str, who: str = "", expected: int = 0) -> str:
    more = {"CONDUCTOR_TOKEN": who} if who else {}
    done = server.there("issues", *arguments, **more)
    assert done.returncode == expected, done.stderr + done.stdout
    return done.stdout + done.stderr


def test_an_issue_goes_its_way_at_the_desk_and_over_a_server(servers: tuple[Replica, Replica]):
    server, other = servers
    ada, ben = server.agent("ada-agent"), server.agent("ben-agent")
    assert typed(server, "create", SHOP, "-t", "Round prices", "-b", "By a cent.", "-l", "bug") == (
        "acme/shop#1: Round prices\n"
    )
    assert "Round prices" in typed(server, "list", SHOP, "--label", "bug")
    assert typed(other, "list", SHOP, "--label", "ui") == "No open issue is like that.\n"
    claimed = typed(server, "claim", "acme/shop#1", "--for", "1h", who=ada)
    assert "acme/shop#1 is yours (token:ada-agent) until" in claimed
    assert "branch: 1-round-prices" in claimed
    refused = typed(other, "claim", "acme/shop#1", who=ben, expected=2)
    assert "token:ada-agent works on acme/shop#1 until" in refused
    before = json.loads(typed(other, "claims", "--mine", "--json", who=ada))[0]["expires_at"]
    assert json.loads(typed(other, "renew", "acme/shop#1", "--json", who=ada))["expires_at"] > before
    shown = typed(other, "show", "acme/shop#1", who=ben)
    assert "taken by: token:ada-agent until" in shown
    assert shown.endswith("\n\nBy a cent.\n")
    here = server.here("issues", "show", "acme/shop#1", "--json")
    assert json.loads(here.stdout) == json.loads(typed(other, "show", "acme/shop#1", "--json"))
    assert typed(other, "release", "acme/shop#1", who=ada) == "acme/shop#1 is free\n"
    assert typed(server, "claims") == "Nobody works on an issue.\n"
    assert typed(server, "close", "acme/shop#1") == "acme/shop#1 (closed): Round prices\n"
    assert "is closed" in typed(server, "claim", "acme/shop#1", who=ben, expected=2)


def test_at_the_desk_agents_have_names_of_their_own(servers: tuple[Replica, Replica]):
    server, _ = servers
    made = server.here("issues", "create", SHOP, "-t", "At the desk", "--json")
    number = json.loads(made.stdout)["number"]
    name = f"{SHOP}#{number}"
    as_one, as_two = (server.environment() | {"CONDUCTOR_PRINCIPAL": name} for name in ("one", "two"))
    assert "is yours (one) until" in _run(as_one, "issues", "claim", name).stdout
    assert "one works on acme/shop#" in _run(as_two, "issues", "claim", name).stderr
    assert _run(as_two, "issues", "release", name).returncode == 2
    assert _run(as_two, "issues", "release", name, "--force").returncode == 0
    assert _run(as_two, "issues", "claim", "acme/shop").returncode == 2


async def test_two_servers_whose_agents_race_over_rest_give_no_issue_to_two(servers: tuple[Replica, Replica]):
    agents = [(server, server.agent(f"racer-{server.name}")) for server in servers]
    numbers = [
        int(
            json.loads(servers[0].here("issues", "create", SHOP, "-t", f"Race {n}", "--json").stdout)[
                "number"
            ]
        )
        for n in range(3)
    ]
    won: Counter[str] = Counter()

    async def take(server: Server, token: str, issue: int, http: httpx2.AsyncClient) -> str | None:
        answer = await http.post(
            f"{server.url}/api/v1/claims",
            json={"repository": SHOP, "issue": issue},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code in (201, 409), answer.text
        return answer.json()["principal"] if answer.status_code == 201 else None

    async with httpx2.AsyncClient(timeout=30) as http:
        for _ in range(ROUNDS):
            for number in numbers:
                got = await asyncio.gather(
                    *(take(server, token, number, http) for server, token in agents for _ in range(2))
                )
                owners = {one for one in got if one}
                assert len(owners) == 1
                (owner,) = owners
                won[owner] += 1
                token = next(token for server, token in agents if owner.endswith(server.name))
                freed = await http.delete(
                    f"{servers[0].url}/api/v1/claims",
                    params={"repository": SHOP, "issue": number},
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert freed.status_code == 204
    assert won.total() == ROUNDS * len(numbers)
