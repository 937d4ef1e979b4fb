from typing import Any

import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.stack import Build


@pytest.fixture(autouse=True)
def sources(repository: Repository):
    repository.file("Dockerfile", "FROM x")
    repository.file("api/Dockerfile", "FROM x")
    repository.file("api/docker/qa.Dockerfile", "FROM x")


@pytest.mark.parametrize(
    ("written", "build"),
    [
        (".", Build()),
        ("./api", Build(context="api", dockerfile="api/Dockerfile")),
        ("{context: api, dockerfile: docker/qa.Dockerfile}", Build(context="api", dockerfile="api/docker/qa.Dockerfile")),
        ("{context: api, dockerfile: ../Dockerfile}", Build(context="api", dockerfile="Dockerfile")),
        ("{target: qa, no_cache: true, pull: true, network: none}", Build(target="qa", no_cache=True, pull=True, network="none")),
        ("{args: {A: 1, B: x}}", Build(args={"A": "1", "B": "x"})),
        ("{args: [A=1, GIVEN, NOPE]}", Build(args={"A": "1", "GIVEN": "g"})),
        ("{labels: [a=b], platforms: [linux/amd64]}", Build(labels={"a": "b"}, platform="linux/amd64")),
        ("{dockerfile_inline: 'FROM x'}", Build(dockerfile_inline="FROM x")),
        ("{dockerfile: ''}", Build()),
    ],
)  # fmt: skip
def test_every_form_of_a_build(repository: Repository, written: str, build: Any):
    service = repository.service(f"build: {written}", variables={"GIVEN": "g"})
    assert service.build == build
    assert service.image is None


def test_a_build_is_relative_to_its_compose_file(repository: Repository):
    repository.file("deploy/compose.yaml", "services: {web: {build: ../api}}")
    build = repository.load("deploy/compose.yaml").stack.service("web").build
    assert build == Build(context="api", dockerfile="api/Dockerfile")


def test_the_image_of_a_service_that_is_built_is_only_a_name(repository: Repository):
    service = repository.service("build: .\nimage: registry/app:1")
    assert service.image is None
    assert service.build == Build()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("https://github.com/docker/compose.git", "only the repository's own files"),
        ("git@github.com:a/b.git#main", "only the repository's own files"),
        ("{context: '../..'}", "leads out"),
        ("/src", "a path of the machine"),
        ("nope", "no folder nope"),
        ("{dockerfile: Dockerfile.qa}", "no Dockerfile Dockerfile.qa"),
        ("{dockerfile: ../Dockerfile}", "leads out"),
        ("{dockerfile: /Dockerfile}", "a path of the machine"),
        ("{dockerfile: Dockerfile, dockerfile_inline: x}", "exclude each other"),
        ("{network: host}", "must not reach"),
        ("{secrets: [x]}", "can keep in the image"),
        ("{ssh: [default]}", "no key"),
        ("{additional_contexts: {a: b}}", "`additional_contexts` is refused"),
        ("{dockerfil: x}", "Did you mean `dockerfile`?"),
    ],
)
def test_a_build_that_cannot_be_made_is_said(repository: Repository, written: str, said: str):
    (problem,) = repository.problems(f"build: {written}")
    assert said in problem


def test_a_service_needs_an_image_or_a_build(repository: Repository):
    (problem,) = repository.loaded("services: {web: {init: true}}").problems
    assert "neither `image` nor `build`" in problem.message


BOTH = "{context: ., platforms: [linux/amd64, linux/arm64]}"


@pytest.mark.parametrize(
    ("written", "platform"),
    [
        (f"build: {BOTH}", None),
        (f"build: {BOTH}\nplatform: linux/arm64", "linux/arm64"),
        ("build: {context: ., platforms: [linux/s390x]}", "linux/s390x"),
        ("build: .\nplatform: linux/arm64", "linux/arm64"),
    ],
)
def test_the_platform_is_that_of_docker_compose_up(
    repository: Repository, written: str, platform: str | None
):
    repository.file("Dockerfile", "FROM x")
    build = repository.service(written).build
    assert build
    assert build.platform == platform


def test_a_platform_that_the_build_does_not_know_is_said(repository: Repository):
    repository.file("Dockerfile", "FROM x")
    (problem,) = repository.problems(f"build: {BOTH}\nplatform: linux/s390x")
    assert "`platforms` has no linux/s390x" in problem


def test_the_memory_that_run_lines_share(repository: Repository):
    repository.file("Dockerfile", "FROM x")
    build = repository.service("build: {context: ., shm_size: 64m}").build
    assert build
    assert build.shm_bytes == 2**26
