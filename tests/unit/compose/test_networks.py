import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Network


def test_without_networks_a_service_is_on_the_default_one(repository: Repository):
    loaded = repository.loaded("services: {web: {image: a}}")
    assert loaded.stack.service("web").networks == {"default": ()}
    assert loaded.stack.networks == (Network(name="default"),)


@pytest.mark.parametrize("written", ["[front, back]", "{front: , back: {}}"])
def test_every_form_of_networks(repository: Repository, written: str):
    service = repository.service(f"networks: {written}", "networks: {front: , back: {internal: true}}")
    assert service.networks == {"front": (), "back": ()}


def test_aliases_are_names_of_the_service(repository: Repository):
    service = repository.service(
        "networks: {default: {aliases: [api, www]}}\ncontainer_name: shop-web\nhostname: h"
    )
    assert service.dns_names == ("web", "api", "www", "shop-web", "h")


def test_only_networks_that_are_used_are_in_the_stack(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: a, networks: [back]}}\nnetworks: {back: {internal: true}, proxy: {external: true}}"
    )
    assert not loaded.problems
    assert loaded.stack.networks == (Network(name="back", internal=True),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("networks: [frnt]", "Did you mean `front`?"),
        ("networks: {front: {ipv4_address: 10.0.0.1}}", "`ipv4_address` is refused"),
        ("network_mode: host", "`network_mode` is refused"),
        ("network_mode: 'container:x'", "`network_mode` is refused"),
        ("network_mode: 'service:x'", "there is no service `x`"),
        ("networks: {front: {alias: [a]}}", "Did you mean `aliases`?"),
        ("networks: front", "expected a mapping, found text"),
    ],
)
def test_a_network_that_cannot_be_had_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(written, "networks: {front: , other: {external: true}}")
    assert said in problem


def test_a_network_of_others_is_one_of_the_runs_own(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: a, networks: [proxy]}}\nnetworks: {proxy: {external: true, name: shared}}"
    )
    assert not loaded.problems
    assert loaded.stack.networks == (Network(name="proxy"),)
    notes = {entry.path: entry.note for entry in loaded.account}
    assert "only services of this stack" in notes["networks.proxy.external"]


def test_a_network_with_addresses_of_both_kinds(repository: Repository):
    loaded = repository.loaded(
        "services: {web: {image: a, networks: [n]}}\nnetworks: {n: {enable_ipv6: true}}"
    )
    assert loaded.stack.networks == (Network(name="n", ipv6=True),)


def test_a_container_name_cannot_be_there_twice(repository: Repository):
    loaded = repository.loaded(
        "services: {a: {image: x, container_name: same}, b: {image: x, container_name: same}}"
    )
    assert [problem.message for problem in loaded.problems] == ["`same` is the container name of a too"]
