from tests.unit.compose.conftest import Repository

from conductor.compose.load import Loaded

FILE = """
services:
  web: {image: web}
  debug: {image: debug, profiles: [debug, all]}
  broken: {image: x, profiles: [old], privileged: true, volumes: ["/etc:/etc"]}
"""


def names(loaded: Loaded):
    return [service.name for service in loaded.stack.services]


def test_services_without_profile_always_take_part(repository: Repository):
    loaded = repository.loaded(FILE)
    assert names(loaded) == ["web"]
    assert not loaded.problems


def test_a_profile_that_is_asked_for_brings_its_services(repository: Repository):
    assert names(repository.loaded(FILE, profiles=["debug"])) == ["web", "debug"]


def test_what_takes_no_part_is_told_in_the_account(repository: Repository):
    entries = [e for e in repository.loaded(FILE).account if e.path.startswith("services.broken")]
    assert {entry.note for entry in entries} == {"its profile is not enabled: it takes no part in this run"}


def test_what_takes_part_is_refused_where_it_has_to_be(repository: Repository):
    assert len(repository.loaded(FILE, profiles=["*"]).problems) == 2


def test_a_dependency_on_a_service_that_takes_no_part_names_its_profiles(repository: Repository):
    text = FILE.replace("web: {image: web}", "web: {image: web, depends_on: [debug]}")
    (problem,) = repository.loaded(text).problems
    assert "its profile is not enabled" in problem.message
    assert "debug, all" in problem.remedy
