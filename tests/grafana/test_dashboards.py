"""Dashboards in a Grafana: made once, left as people changed them, not overwritten, removed, and never in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conductor.adapters.grafana.dashboards import GrafanaDashboards
from conductor.errors import ConflictError, UnreachableError, UsageError
from conductor.ports.dashboards import Board, Of
from tests.grafana.fake import TOKEN, VIEWER, FakeGrafana
from tests.registries.prism import description, proxied
from tests.registries.serving import serving

RUN = Board(Of.RUN, "shop-k3v9qd")


@pytest.fixture
def grafana() -> FakeGrafana:
    return FakeGrafana()


@pytest.fixture
async def url(grafana: FakeGrafana) -> AsyncIterator[str]:
    async with serving(grafana.app()) as found:
        yield found


@pytest.fixture
async def dashboards(url: str) -> AsyncIterator[GrafanaDashboards]:
    made = GrafanaDashboards(url, TOKEN, instance="one", public_url="https://grafana.example.org")
    yield made
    await made.aclose()


async def test_a_dashboard_is_made_once_and_left_as_people_changed_it(
    grafana: FakeGrafana, dashboards: GrafanaDashboards
):
    await dashboards.ensure(RUN)
    made = grafana.dashboards[dashboards.uid(RUN)]
    made["title"], made["version"] = "changed by hand", 2
    await dashboards.ensure(RUN)
    assert (made["title"], made["version"], list(grafana.folders.values())) == (
        "changed by hand",
        2,
        ["Conductor"],
    )
    assert dashboards.link(RUN) == f"https://grafana.example.org/d/{made['uid']}"
    assert await dashboards.standing() == {made["uid"]}


async def test_an_older_design_is_replaced(grafana: FakeGrafana, dashboards: GrafanaDashboards):
    await dashboards.ensure(RUN)
    uid = dashboards.uid(RUN)
    grafana.dashboards[uid]["tags"] = ["conductor", "instance:one", "design:0"]
    await dashboards.ensure(RUN)
    assert grafana.dashboards[uid]["version"] == 2
    assert "design:0" not in grafana.dashboards[uid]["tags"]


async def test_who_loses_a_race_looks_again_and_takes_what_the_other_made(
    grafana: FakeGrafana, dashboards: GrafanaDashboards
):
    other = {**dashboards.drawn(RUN), "id": 7, "version": 5}
    grafana.meanwhile.append(lambda: grafana.dashboards.update({other["uid"]: other}))
    await dashboards.ensure(RUN)
    assert grafana.dashboards[dashboards.uid(RUN)]["version"] == 5


async def test_who_always_loses_says_so(grafana: FakeGrafana, dashboards: GrafanaDashboards):
    def save() -> None:
        uid = dashboards.uid(RUN)
        version = grafana.dashboards.get(uid, {}).get("version", 0) + 1
        grafana.dashboards[uid] = {**dashboards.drawn(RUN), "tags": [], "id": 7, "version": version}

    grafana.meanwhile += [save] * 5
    with pytest.raises(ConflictError, match="at the same time"):
        await dashboards.ensure(RUN)


async def test_missing_rights_a_wrong_token_and_a_grafana_that_is_down_are_told_apart(
    grafana: FakeGrafana, url: str
):
    for token, expected in ((VIEWER, "Editor"), ("wrong", "Editor")):
        asking = GrafanaDashboards(url, token, instance="one")
        with pytest.raises(UsageError) as said:
            await asking.ensure(RUN)
        assert expected in said.value.remedy
        assert token not in said.value.message
        await asking.aclose()
    grafana.down = True
    asking = GrafanaDashboards(url, TOKEN, instance="one")
    with pytest.raises(UnreachableError, match="HTTP 500"):
        await asking.standing()
    await asking.aclose()


async def test_another_instances_dashboards_are_neither_seen_nor_touched(
    grafana: FakeGrafana, dashboards: GrafanaDashboards, url: str
):
    other = GrafanaDashboards(url, TOKEN, instance="two")
    await other.ensure(RUN)
    await dashboards.ensure(RUN)
    assert await dashboards.standing() == {dashboards.uid(RUN)}
    assert other.uid(RUN) != dashboards.uid(RUN)
    await dashboards.remove(dashboards.uid(RUN))
    await dashboards.remove(dashboards.uid(RUN))
    assert await other.standing() == set(grafana.dashboards)
    await other.aclose()


async def test_grafana_is_asked_and_played_as_its_description_says(
    grafana: FakeGrafana, dashboards: GrafanaDashboards, url: str
):
    async with proxied(description("grafana-openapi3.json"), f"{url}/api") as (proxy, said):
        asking = GrafanaDashboards(proxy, TOKEN, instance="one", api="")
        for board in (RUN, Board(Of.FLEET), Board(Of.REPOSITORY, "acme/shop")):
            await asking.ensure(board)
        await asking.ensure(RUN)
        assert len(await asking.standing()) == 3
        await asking.remove(asking.uid(RUN))
        await asking.remove(asking.uid(RUN))
        await asking.aclose()
    assert [line for line in said if "Violation" in line or "✖" in line] == []
    assert len(grafana.dashboards) == 2
