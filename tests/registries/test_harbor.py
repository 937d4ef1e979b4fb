"""Harbor: projects, robots for builds, scans, and old images that go."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from conductor.adapters.registries.distribution import Distribution
from conductor.adapters.registries.exchange import Exchange
from conductor.adapters.registries.harbor import HarborRegistry
from conductor.adapters.registries.tokens import Tokens
from conductor.domain.scan import ScanState, Severity
from conductor.errors import RefusedError, UnreachableError
from conductor.ports.registry import PushGrant
from tests.registries.conftest import Waits, harbor_config
from tests.registries.fake_distribution import Misfortune, busy
from tests.registries.fake_harbor import API, FakeHarbor

HOUR = timedelta(hours=1)
KEY = "0123456789abcdef" * 2
REPORT = {
    "vulnerabilities": [
        {"id": "CVE-1", "package": "zlib", "version": "1.2", "severity": "Low", "fix_version": ""},
        {"id": "CVE-2", "package": "openssl", "version": "3.0", "severity": "Critical", "fix_version": "3.1"},
    ]
}


@pytest.fixture
async def narrow(harbor_url: str, waits: Waits) -> AsyncIterator[HarborRegistry]:
    """Harbor with a project for each repository."""
    registry = HarborRegistry(harbor_config(harbor_url, per_repository=True), sleep=waits)
    yield registry
    await registry.aclose()


async def test_a_build_is_granted_a_robot_and_the_project_is_made_where_it_is_missing(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    grant = await harbor_registry.grant_push("acme/shop", build="shop-k3v9qd/backend", life=HOUR)
    assert [*harbor.projects] == ["conductor"]
    (robot,) = harbor.robots.values()
    assert grant.credentials is not None
    assert grant.credentials.username == robot.full_name
    assert robot.permissions[0]["namespace"] == "conductor"
    assert {one["action"] for one in robot.permissions[0]["access"]} == {"push", "pull"}
    assert robot.expires_at - time.time() <= 86_400, (
        "a robot lives a day at least, and no longer for an hour's build"
    )
    assert not grant.narrow, "it reaches every repository of the project"


async def test_what_is_granted_pushes_to_its_own_repository_and_nowhere_else(
    harbor_url: str, narrow: HarborRegistry
):
    grant = await narrow.grant_push("acme/shop", build="b1", life=HOUR)
    await narrow.grant_push("acme/other", build="b2", life=HOUR)
    assert grant.narrow
    assert await _may_push(grant, harbor_url, narrow.reference("acme/shop", "backend", KEY))
    assert await _may_push(grant, harbor_url, narrow.cache("acme/shop") + ":x")
    assert not await _may_push(grant, harbor_url, narrow.reference("acme/other", "backend", KEY))


async def test_a_grant_that_is_asked_for_again_replaces_the_first(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    first = await harbor_registry.grant_push("acme/shop", build="b1", life=HOUR)
    again = await harbor_registry.grant_push("acme/shop", build="b1", life=HOUR)
    assert first.credentials != again.credentials
    assert len(harbor.robots) == 1


@pytest.mark.parametrize("repository", ["acme/shop", ""])
async def test_a_grant_that_is_taken_back_pushes_no_more_and_taking_it_back_twice_is_no_error(
    harbor: FakeHarbor, harbor_url: str, narrow: HarborRegistry, repository: str
):
    grant = await narrow.grant_push("acme/shop", build="b1", life=HOUR)
    await narrow.grant_push("acme/other", build="b2", life=HOUR)
    for _ in range(2):
        await narrow.revoke_push("b1", repository=repository)
    assert [robot.name for robot in harbor.robots.values()] == ["conductor-b2"]
    assert not await _may_push(grant, harbor_url, narrow.reference("acme/shop", "backend", KEY))


async def test_a_robot_is_found_among_hundreds(harbor: FakeHarbor, harbor_registry: HarborRegistry):
    harbor.add_project("conductor")
    for number in range(250):
        harbor.add_robot(f"conductor-b{number}", "conductor", expires_at=-1)
    await harbor_registry.revoke_push("b249")
    assert len(harbor.robots) == 249


async def test_whoever_may_make_no_projects_is_told_which_one_to_make(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.may_make_projects = False
    with pytest.raises(RefusedError, match="making the project conductor") as refused:
        await harbor_registry.grant_push("acme/shop", build="b1", life=HOUR)
    assert "Make a project conductor" in refused.value.remedy


async def test_in_a_project_that_is_not_there_yet_there_is_no_image(harbor_registry: HarborRegistry):
    assert await harbor_registry.find(harbor_registry.reference("acme/shop", "backend", KEY)) is None


async def test_an_image_is_found_and_a_wrong_password_is_no_absence(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    digest = harbor.store.put("conductor/acme_shop/backend", KEY)
    reference = harbor_registry.reference("acme/shop", "backend", KEY)
    assert await harbor_registry.find(reference) == digest
    harbor.store.tokens.clear()
    harbor.store.accounts["robot$conductor"].password = "another"
    with pytest.raises(RefusedError):
        await harbor_registry.find(reference)


async def test_a_scan_is_asked_for_once_awaited_and_its_report_read(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    reference, digest = _pushed(harbor, harbor_registry)
    harbor.report = REPORT
    harbor.scan_states = ["Pending", "Pending", "Pending", "Running", "Success"]
    for _ in range(3):
        await harbor_registry.request_scan(reference, digest)
    states = [(await harbor_registry.scan(reference, digest)).state for _ in range(2)]
    found = await harbor_registry.scan(reference, digest)
    assert harbor.scans[digest].asked == 1
    assert ScanState.PENDING in states
    assert found.state is ScanState.DONE
    assert dict(found.counts) == {Severity.CRITICAL: 1, Severity.LOW: 1}
    assert [(one.id, one.fixed_in) for one in found.worst] == [("CVE-2", "3.1"), ("CVE-1", "")]
    assert found.scanner == "Trivy v0.58.1"


@pytest.mark.parametrize(("ending", "told"), [("Error", "gave up"), ("Stopped", "stopped")])
async def test_a_scan_that_failed_says_so_and_is_begun_anew_when_asked_for(
    harbor: FakeHarbor, harbor_registry: HarborRegistry, ending: str, told: str
):
    reference, digest = _pushed(harbor, harbor_registry)
    harbor.scan_states = [ending]
    await harbor_registry.request_scan(reference, digest)
    failed = await harbor_registry.scan(reference, digest)
    assert failed.state is ScanState.FAILED
    assert told in failed.message
    await harbor_registry.request_scan(reference, digest)
    assert harbor.scans[digest].asked == 2


async def test_without_a_scanner_nothing_is_waited_for(harbor: FakeHarbor, harbor_registry: HarborRegistry):
    reference, digest = _pushed(harbor, harbor_registry)
    harbor.scanner = False
    await harbor_registry.request_scan(reference, digest)
    found = await harbor_registry.scan(reference, digest)
    assert (found.state, found.message) == (ScanState.NONE, "no scanner is set up in Harbor")


async def test_what_the_scanner_does_not_know_is_not_waited_for(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    reference, digest = _pushed(harbor, harbor_registry)
    harbor.refuses_to_scan = (
        "the configured scanner Trivy does not support scanning artifact with mime type x"
    )
    await harbor_registry.request_scan(reference, digest)
    found = await harbor_registry.scan(reference, digest)
    assert found.state is ScanState.NONE
    assert "does not support" in found.message


async def test_a_scan_without_a_report_tells_the_counts_of_its_overview(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    reference, digest = _pushed(harbor, harbor_registry)
    harbor.scan_states = ["Success"]
    await harbor_registry.request_scan(reference, digest)
    found = await harbor_registry.scan(reference, digest)
    assert (found.state, dict(found.counts), found.worst) == (ScanState.DONE, {}, ())


async def test_scans_that_are_switched_off_are_not_asked_for(
    harbor: FakeHarbor, harbor_url: str, waits: Waits
):
    registry = HarborRegistry(harbor_config(harbor_url, scans=False), sleep=waits)
    reference, digest = _pushed(harbor, registry)
    await registry.request_scan(reference, digest)
    assert (await registry.scan(reference, digest)).state is ScanState.NONE
    assert not harbor.scans
    await registry.aclose()


async def test_an_image_in_another_registry_is_not_waited_for(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    elsewhere = "registry.example.org/acme_shop/backend:x"
    await harbor_registry.request_scan(elsewhere, "sha256:0")
    assert (await harbor_registry.scan(elsewhere, "sha256:0")).state is ScanState.NONE
    assert harbor.store.asked == []


async def test_the_oldest_images_beyond_so_many_go_and_nothing_else_does(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    keys = [f"{number:032x}" for number in range(5)]
    for key in keys:
        harbor.store.put("conductor/acme_shop/backend", key)
    harbor.store.put("conductor/acme_shop/backend", "v1")
    harbor.store.put("conductor/acme_shop/frontend", keys[0])
    for other in ("acme_shop/layer-cache", "acme_shop2/backend", "acme/backend"):
        harbor.store.put(f"conductor/{other}", keys[0])
        harbor.store.put(f"conductor/{other}", keys[1])
    removed = await harbor_registry.prune("acme/shop", keep=2)
    assert sorted(removed) == [harbor_registry.reference("acme/shop", "backend", key) for key in keys[:3]]
    left = {path: sorted(repository.tags) for path, repository in harbor.store.repositories.items()}
    assert left["conductor/acme_shop/backend"] == [*keys[3:], "v1"]
    assert left["conductor/acme_shop/frontend"] == [keys[0]]
    assert all(left[f"conductor/{other}"] == keys[:2] for other in ("acme_shop/layer-cache", "acme/backend"))


async def test_what_a_stack_still_runs_on_stays_however_old_it_is(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    keys = [f"{number:032x}" for number in range(4)]
    digests = [harbor.store.put("conductor/acme_shop/backend", key) for key in keys]
    removed = await harbor_registry.prune("acme/shop", keep=1, used=[digests[0]])
    assert sorted(removed) == [harbor_registry.reference("acme/shop", "backend", key) for key in keys[1:3]]


async def test_an_old_tag_of_an_image_that_is_in_use_goes_without_the_image(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    old, new = (f"{number:032x}" for number in range(2))
    path = "conductor/acme_shop/backend"
    digest = harbor.store.put(path, old, b"{}")
    assert harbor.store.put(path, new, b"{}") == digest
    await harbor_registry.prune("acme/shop", keep=1)
    assert harbor.store.repositories[path].tags == {new: digest}
    assert digest in harbor.store.repositories[path].images


async def test_a_tag_that_must_not_go_is_a_refusal_with_the_reason(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    old, new = (f"{number:032x}" for number in range(2))
    for key in (old, new):
        harbor.store.put("conductor/acme_shop/backend", key, b"{}")
    harbor.immutable.add(old)
    with pytest.raises(RefusedError, match="configured as immutable"):
        await harbor_registry.prune("acme/shop", keep=1)


async def test_robots_whose_days_are_over_go_with_the_old_images_and_those_of_others_stay(
    harbor: FakeHarbor, harbor_registry: HarborRegistry
):
    harbor.add_project("conductor")
    now = int(time.time())
    for name, expires_at in (("conductor-old", now - 5), ("conductor-new", now + 500), ("ci", now - 5)):
        harbor.add_robot(name, "conductor", expires_at=expires_at)
    await harbor_registry.prune("acme/shop", keep=2)
    assert sorted(robot.name for robot in harbor.robots.values()) == ["ci", "conductor-new"]


async def test_a_harbor_that_is_down_is_unreachable_and_asked_again_before(
    harbor: FakeHarbor, harbor_registry: HarborRegistry, waits: Waits
):
    for _ in range(4):
        harbor.store.misfortunes.append(Misfortune(API, busy(502)))
    with pytest.raises(UnreachableError):
        await harbor_registry.grant_push("acme/shop", build="b1", life=HOUR)
    assert len(waits) == 3


async def test_no_secret_is_in_what_is_printed(harbor_registry: HarborRegistry):
    grant = await harbor_registry.grant_push("acme/shop", build="b1", life=HOUR)
    assert grant.credentials is not None
    assert grant.credentials.password not in repr(grant)


def _pushed(harbor: FakeHarbor, registry: HarborRegistry) -> tuple[str, str]:
    harbor.add_project("conductor")
    digest = harbor.store.put("conductor/acme_shop/backend", KEY)
    return registry.reference("acme/shop", "backend", KEY), digest


async def _may_push(grant: PushGrant, url: str, reference: str) -> bool:
    exchange = Exchange()
    path = reference.partition("/")[2].rpartition(":")[0]
    robot = Distribution(exchange, api=url, tokens=Tokens(exchange, grant.credentials))
    try:
        await robot.push(path, "x", layer=b"layer", config={})
    except RefusedError:
        return False
    finally:
        await exchange.aclose()
    return True
