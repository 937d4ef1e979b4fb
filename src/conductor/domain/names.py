"""Names, worked out from the run and never looked up, so that a crash can orphan nothing."""

from __future__ import annotations

import re

from conductor.domain.stack import Job, Service

LABEL_INSTANCE = "conductor.dev/instance"
LABEL_RUN = "conductor.dev/run"
LABEL_NAMESPACE = "conductor.dev/namespace"
LABEL_WORKLOAD = "conductor.dev/workload"
LABEL_KIND = "conductor.dev/kind"
LABEL_KEY = "conductor.dev/content-key"

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Of which run ids are made: nothing that looks like something else."""


def slug(text: str, *, length: int = 30) -> str:
    """Make a DNS label of any text: lower case, digits and single hyphens, starting with a letter.

    >>> slug("Acme/Shop.API")
    'acme-shop-api'
    >>> slug("42 things")
    'x42-things'
    """
    made = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
    made = made if made[0].isalpha() else f"x{made}"
    return made[:length].rstrip("-")


def run_id(repository: str, suffix: str) -> str:
    """Name a run: the repository's last part and six characters of ALPHABET."""
    return f"{slug(repository.rstrip('/').rsplit('/', 1)[-1])}-{suffix}"


def job_name(suite: str) -> str:
    """Name the job of a suite in its namespace.

    >>> job_name("tests"), job_name("Slow ones")
    ('tests', 'tests-slow-ones')
    """
    made = slug(suite)
    return made if made == "tests" else f"tests-{made}"


def attempt_of(namespace: str, run: str) -> int:
    """Tell which attempt of a run a namespace is of.

    >>> attempt_of("conductor-shop-k3v9qd", "shop-k3v9qd"), attempt_of("conductor-shop-k3v9qd-2", "shop-k3v9qd")
    (1, 2)
    """
    number = namespace.removeprefix(f"conductor-{run}").removeprefix("-")
    return int(number) if number.isdecimal() else 1


def image_name(workload: Service | Job) -> str:
    """Name what is built for a service (its name) or for a job (`tests/<job>`): the subject of build events."""
    return f"tests/{workload.workload.name}" if isinstance(workload, Job) else workload.name


def variable_for(secret: str, environment: str) -> str:
    """Name the variable or GitHub Secret that holds a secret in an environment.

    >>> variable_for("OPENAI_API_KEY", "qa")
    'OPENAI_API_KEY_QA'
    """
    return f"{secret}_{environment.upper()}"
