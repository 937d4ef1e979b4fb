import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.account import Treatment


def test_a_list_and_a_mapping_mean_the_same(repository: Repository):
    listed = repository.service("environment: [A=1, 'B=x=y', C=]")
    mapped = repository.service("environment: {A: 1, B: x=y, C: ''}")
    assert listed.environment == mapped.environment == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1.0", "1"), ("1.50", "1.5"), ("1e3", "1000"), ("012", "10"), ("0x10", "16"), ("true", "true"), ("yes", "yes"),
        ("10000000000", "10000000000"), (".5", "0.5"), ("'012'", "012"),
    ],
)  # fmt: skip
def test_scalars_become_the_text_that_compose_makes_of_them(repository: Repository, written: str, text: str):
    assert repository.service(f"environment: {{A: {written}}}").environment == {"A": text}


def test_a_name_without_a_value_is_taken_from_the_variables_or_is_absent(repository: Repository):
    repository.file(".env", "GIVEN=1\n")
    assert repository.service("environment: [GIVEN, NOPE]").environment == {"GIVEN": "1"}
    assert repository.service("environment: {GIVEN: , NOPE: }").environment == {"GIVEN": "1"}


def test_a_variable_that_nobody_gives_is_told_in_the_account(repository: Repository):
    loaded = repository.loaded("services: {web: {image: app, environment: [NOPE]}}")
    (entry,) = [entry for entry in loaded.account if entry.path == "services.web.environment[0]"]
    assert entry.treatment is Treatment.CONVERTED
    assert "NOPE is not set" in entry.note


def test_environment_comes_over_env_files_and_later_files_over_earlier(repository: Repository):
    repository.file("one.env", "A=1\nB=1\nC=1\n")
    repository.file("two.env", "B=2\nC=2\n")
    service = repository.service("env_file: [one.env, two.env]\nenvironment: {C: 3}")
    assert service.environment == {"A": "1", "B": "2", "C": "3"}


def test_an_env_file_that_need_not_be_there_is_left_out(repository: Repository):
    assert repository.service("env_file: [{path: no.env, required: false}]").environment == {}


def test_an_env_file_that_is_missing_is_told_where_it_is_named(repository: Repository):
    (problem,) = repository.problems("env_file: no.env")
    assert "compose.yaml:4:15" in problem
    assert "no.env" in problem


def test_an_env_file_is_relative_to_its_compose_file(repository: Repository):
    repository.file("deploy/web.env", "A=1\n")
    repository.file("deploy/compose.yaml", "services: {web: {image: app, env_file: web.env}}")
    assert repository.load("deploy/compose.yaml").stack.service("web").environment == {"A": "1"}


def test_the_dotenv_file_is_the_one_beside_the_first_compose_file(repository: Repository):
    repository.file(".env", "TAG=root\n")
    repository.file("deploy/.env", "TAG=deploy\n")
    repository.file("deploy/compose.yaml", "services: {web: {image: 'app:$TAG'}}")
    assert repository.load("deploy/compose.yaml").stack.service("web").image == "app:deploy"


def test_a_raw_env_file_is_not_interpolated(repository: Repository):
    repository.file("raw.env", "A=$B 'x'\n")
    service = repository.service("env_file: [{path: raw.env, format: raw}]")
    assert service.environment == {"A": "$B 'x'"}


@pytest.mark.parametrize("written", ["['A =1']", "['=1']", "{A: [1]}", "5", "[5]"])
def test_what_is_no_variable_is_said(repository: Repository, written: str):
    assert len(repository.problems(f"environment: {written}")) == 1
