import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import BindMount


def test_a_service_extends_one_of_the_same_file(repository: Repository):
    loaded = repository.loaded(
        """
        services:
          base: {image: base, environment: {A: base, B: base}, command: [base]}
          web: {extends: base, environment: {B: web}}
          api: {extends: {service: web}, image: api}
        """
    )
    assert not loaded.problems
    assert loaded.stack.service("api").environment == {"A": "base", "B": "web"}
    assert loaded.stack.service("api").image == "api"
    assert loaded.stack.service("api").command == ("base",)


def test_paths_of_another_file_are_relative_to_it(repository: Repository):
    repository.file("shared/web.env", "A=1\n")
    repository.file(
        "shared/base.yaml", "services: {base: {image: base, env_file: web.env, volumes: ['./src:/app']}}"
    )
    service = repository.service("extends: {service: base, file: shared/base.yaml}\nimage: own")
    assert service.mounts == (BindMount(source="shared/src", target="/app"),)
    assert service.environment == {"A": "1"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("extends: nope", "there is no service `nope`"),
        ("extends: {service: x, file: no.yaml}", "there is no file no.yaml"),
        ("extends: {service: x, file: ../no.yaml}", "leads out"),
        ("extends: {service: x, file: 'https://example.org/x.yaml'}", "only files of the repository"),
        ("extends: {file: x}", "needs a `service`"),
        ("extends: web", "web -> web"),
    ],
)
def test_an_extends_that_leads_nowhere_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(written)
    assert said in problem


def test_a_circle_through_two_files_ends(repository: Repository):
    repository.file("a.yaml", "services: {x: {image: i, extends: {file: b.yaml, service: y}}}")
    repository.file("b.yaml", "services: {y: {image: i, extends: {file: a.yaml, service: x}}}")
    (problem,) = repository.load("a.yaml").problems
    assert "extend each other" in problem.message


def test_an_include_is_a_project_with_its_own_folder_and_variables(repository: Repository):
    repository.file("db/.env", "TAG=16\n")
    repository.file(
        "db/compose.yaml",
        "services: {db: {image: 'postgres:$TAG', volumes: ['./init:/init', 'data:/d']}}\nvolumes: {data: }",
    )
    loaded = repository.loaded("include: [db/compose.yaml]\nservices: {web: {image: app, depends_on: [db]}}")
    assert not loaded.problems
    assert loaded.stack.service("db").image == "postgres:16"
    assert loaded.stack.service("db").mounts[0] == BindMount(source="db/init", target="/init")


def test_an_include_in_its_long_form(repository: Repository):
    repository.file("vars.env", "TAG=15\n")
    repository.file("db/one.yaml", "services: {db: {image: 'postgres:$TAG', volumes: ['./x:/x']}}")
    repository.file("db/two.yaml", "services: {db: {command: [run]}}")
    loaded = repository.loaded(
        "include: [{path: [db/one.yaml, db/two.yaml], project_directory: ., env_file: vars.env}]\nservices: {}"
    )
    assert not loaded.problems
    db = loaded.stack.service("db")
    assert (db.image, db.command) == ("postgres:15", ("run",))
    assert db.mounts == (BindMount(source="x", target="/x"),)


def test_the_same_name_here_and_in_what_is_included_is_a_mistake(repository: Repository):
    repository.file("db.yaml", "services: {db: {image: a}}")
    (problem,) = repository.loaded("include: [db.yaml]\nservices: {db: {image: b}}").problems
    assert "db.yaml:1" in problem.message


def test_files_that_include_each_other_end(repository: Repository):
    loaded = repository.loaded("include: [compose.yaml]\nservices: {web: {image: a}}")
    assert any("include each other" in problem.message for problem in loaded.problems)


@pytest.mark.parametrize(
    "path", ["../out.yaml", "/etc/compose.yaml", "https://example.org/x.yaml", "no.yaml"]
)
def test_an_include_of_what_is_not_in_the_repository_is_said(repository: Repository, path: str):
    assert len(repository.loaded(f"include: ['{path}']\nservices: {{}}").problems) == 1
