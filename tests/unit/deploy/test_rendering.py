"""kustomize and Helm say the same, and what they say is valid, bounded, and understood by Conductor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.deploy.rendered import (
    BASE,
    CHART,
    OVERLAYS,
    Manifest,
    NotRenderedError,
    by_name,
    helm,
    kustomize,
)
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.settings import PREFIX, Settings

FOLDERS = [BASE, *sorted(OVERLAYS.iterdir())]
VALUES = {"base": (), "local": ("values-local.yaml",), "production": ("values-production.yaml",)}


def whole(name: str) -> list[Manifest]:
    return helm(*VALUES[name], createNamespace=True)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_chart_says_what_kustomize_says(folder: Path):
    assert by_name(whole(folder.name)) == by_name(kustomize(folder))


def test_every_file_of_values_belongs_to_an_overlay():
    shipped = {file.name for file in CHART.glob("values-*.yaml")}
    assert shipped == {file for files in VALUES.values() for file in files}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_object_is_valid(folder: Path):
    found = [errors(thing, version) for thing in kustomize(folder) for version in LAST_THREE]
    assert found == [[]] * len(found)


def test_an_installation_of_another_name_says_nothing_of_the_first():
    made = helm(
        namespace="42",
        instance="7",
        createNamespace=True,
        image={"name": "registry.example/conductor", "tag": "1.2", "pullSecrets": ["mirror"]},
        egress="10.0.0.0/8,192.0.2.7/32",
        sweeper={"suspend": True},
    )
    assert [errors(thing, LAST_THREE[-1]) for thing in made] == [[]] * len(made)
    names = {(thing["kind"], thing["metadata"]["name"]) for thing in made}
    assert {name for kind, name in names if kind != "Namespace"} == {"7", "7-namespace", "7-sweeper"}
    assert {thing["metadata"]["namespace"] for thing in made if "namespace" in thing["metadata"]} == {"42"}
    policy = next(thing for thing in made if thing["kind"] == "ValidatingAdmissionPolicy")
    said = str(policy["spec"])
    assert "system:serviceaccount:42:7" in said
    assert "roleRef.name == '7-namespace'" in said
    assert "'conductor'" not in said


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_pod_keeps_to_restricted_and_writes_only_to_volumes(folder: Path):
    pods = [
        thing["spec"]["jobTemplate"]["spec"]["template"]
        for thing in kustomize(folder)
        if thing["kind"] == "CronJob"
    ]
    assert pods
    for pod in pods:
        assert breaks("restricted", pod) == []
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod["spec"]["containers"])
        assert all({"requests", "limits"} <= one["resources"].keys() for one in pod["spec"]["containers"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_setting_is_one_that_conductor_reads(folder: Path, monkeypatch: pytest.MonkeyPatch):
    given = next(thing for thing in kustomize(folder) if thing["kind"] == "ConfigMap")["data"]
    assert {name.removeprefix(PREFIX).lower() for name in given} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert (read.engine, read.instance, read.kube_role) == ("kubernetes", "conductor", "conductor-namespace")


def test_a_setting_that_the_chart_makes_of_values_is_read_as_it_was_meant(monkeypatch: pytest.MonkeyPatch):
    made = helm("values-production.yaml", settings={"CONDUCTOR_STORAGE_CLASS": "fast"})
    for name, value in next(thing for thing in made if thing["kind"] == "ConfigMap")["data"].items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert read.callers == ("monitoring", "ingress")
    assert read.quota == {
        "pods": "60",
        "requests.cpu": "8",
        "requests.memory": "16Gi",
        "limits.memory": "48Gi",
    }
    assert read.storage_class == "fast"


@pytest.mark.parametrize(
    "wrong",
    [
        {"instance": "Not A Name"},
        {"instnace": "x"},
        {"settings": {"PATH": "/"}},
        {"image": {"pullPolicy": "often"}},
        {"secretSettings": "Not A Name"},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(wrong: dict[str, Any]):
    with pytest.raises(NotRenderedError):
        helm(**wrong)


def test_what_is_secret_comes_from_a_secret_and_is_refused_among_the_settings():
    (pod,) = (thing for thing in helm(secretSettings="mine") if thing["kind"] == "CronJob")
    (container,) = pod["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert {"secretRef": {"name": "mine", "optional": True}} in container["envFrom"]
    secret = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert "gate_key" in secret
    for name in secret:
        with pytest.raises(NotRenderedError, match=f"{PREFIX}{name.upper()}"):
            helm(settings={f"{PREFIX}{name.upper()}": "x" * 32})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_secret_is_shipped(folder: Path):
    assert "Secret" not in {thing["kind"] for thing in kustomize(folder)}


def test_a_policy_bounds_the_account_and_lets_nothing_through_when_it_fails():
    made = kustomize(BASE)
    policy = next(thing for thing in made if thing["kind"] == "ValidatingAdmissionPolicy")
    bound = next(thing for thing in made if thing["kind"] == "ValidatingAdmissionPolicyBinding")
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert bound["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    assert {verb for rule in policy["spec"]["matchConstraints"]["resourceRules"] for verb in rule["operations"]} == {
        "CREATE", "UPDATE", "DELETE", "CONNECT",
    }  # fmt: skip
