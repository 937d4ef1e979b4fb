"""kustomize and Helm say the same, and what they say is valid, bounded, and understood by Conductor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.unit.deploy.rendered import (
    BASE,
    CHART,
    DEPLOY,
    OVERLAYS,
    Manifest,
    NotRenderedError,
    by_name,
    helm,
    kustomize,
)
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.cli.app import app
from conductor.settings import PREFIX, Settings

FOLDERS = [BASE, *sorted(OVERLAYS.iterdir())]
VALUES = {
    "base": (),
    "local": ("values-local.yaml",),
    "production": ("values-production.yaml",),
    "secrets": ("values-secrets.yaml",),
}


EXAMPLES = sorted((DEPLOY / "helm" / "examples").glob("*.yaml"))
HOOK = "helm.sh/hook"
FINGERPRINT = "conductor.dev/settings"
"""Pods begin anew with new settings; kustomize leaves that to who applies it."""


def whole(name: str) -> list[Manifest]:
    return helm(*VALUES[name], createNamespace=True)


def example(file: Path) -> list[Manifest]:
    return helm(**yaml.safe_load(file.read_text()))


def hook_of(thing: Manifest) -> str:
    return str((thing["metadata"].get("annotations") or {}).get(HOOK, ""))


def pod_of(thing: Manifest) -> Manifest | None:
    """The pod that an object makes, as a template."""
    spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing.get("spec", {})
    return spec.get("template") if thing["kind"] in ("CronJob", "Job", "Deployment") else None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_chart_says_what_kustomize_says_but_for_what_only_helm_can_do(folder: Path):
    charted = [thing for thing in whole(folder.name) if not hook_of(thing)]
    for thing in charted:
        if thing["kind"] == "Deployment":
            assert thing["spec"]["template"]["metadata"].pop("annotations").keys() == {FINGERPRINT}
    assert by_name(charted) == by_name(kustomize(folder))


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
    assert {name for kind, name in names if kind != "Namespace"} == {
        "7",
        "7-namespace",
        "7-sweeper",
        "7-server",
        "7-farewell",
    }
    assert {thing["metadata"]["namespace"] for thing in made if "namespace" in thing["metadata"]} == {"42"}
    policy = next(thing for thing in made if thing["kind"] == "ValidatingAdmissionPolicy")
    said = str(policy["spec"])
    assert "system:serviceaccount:42:7" in said
    assert "roleRef.name == '7-namespace'" in said
    assert "'conductor'" not in said


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_pod_keeps_to_restricted_and_writes_only_to_volumes(folder: Path):
    pods = [pod for thing in whole(folder.name) if (pod := pod_of(thing))]
    assert len(pods) >= len(("sweeper", "server", "farewell"))
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
        {"server": {"replicas": 0}},
        {"server": {"replicas": 2}},
        {"server": {"storage": {"size": "much"}}},
        {"server": {"publicUrl": "conductor.example"}},
    ],
    ids=str,
)
def test_values_that_mean_nothing_are_refused(wrong: dict[str, Any]):
    with pytest.raises(NotRenderedError):
        helm(**wrong)


def test_what_is_secret_comes_from_a_secret_and_is_refused_among_the_settings():
    pods = {thing["kind"]: pod_of(thing) for thing in helm(secretSettings="mine")}
    (sweeper,) = pods["CronJob"]["spec"]["containers"]  # type: ignore[index]
    (server,) = pods["Deployment"]["spec"]["containers"]  # type: ignore[index]
    assert {"secretRef": {"name": "mine", "optional": True}} in sweeper["envFrom"]
    assert {"secretRef": {"name": "mine"}} in server["envFrom"]  # it does not begin on records of its own
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


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_of_values_is_valid_and_restricted(file: Path, monkeypatch: pytest.MonkeyPatch):
    made = example(file)
    assert [errors(thing, version) for thing in made for version in LAST_THREE] == [[]] * len(made) * len(
        LAST_THREE
    )
    assert all(breaks("restricted", pod) == [] for thing in made if (pod := pod_of(thing)))
    given = next(thing for thing in made if thing["kind"] == "ConfigMap")["data"]
    assert {name.removeprefix(PREFIX).lower() for name in given} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().allow


def test_there_is_an_example_for_each_place_that_is_promised():
    assert {file.stem for file in EXAMPLES} == {"kind", "k3s", "cloud"}


def test_one_server_owns_its_volume_and_several_share_theirs():
    one, several = by_name(helm()), by_name(helm("values-production.yaml"))
    key = ("Deployment", "conductor", "conductor-server")
    assert one[key]["spec"]["strategy"] == {"type": "Recreate"}
    assert several[key]["spec"]["strategy"]["type"] == "RollingUpdate"
    claim = ("PersistentVolumeClaim", "conductor", "conductor-server")
    assert one[claim]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert several[claim]["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "PodDisruptionBudget" not in {kind for kind, _, _ in one}
    assert "PodDisruptionBudget" in {kind for kind, _, _ in several}


def test_what_selects_the_server_finds_it_and_not_that_of_another_installation():
    mine, others = by_name(helm()), by_name(helm(instance="other"))
    labels = mine["Deployment", "conductor", "conductor-server"]["spec"]["template"]["metadata"]["labels"]
    service = mine["Service", "conductor", "conductor-server"]["spec"]["selector"]
    policy = mine["NetworkPolicy", "conductor", "conductor-server"]["spec"]["podSelector"]["matchLabels"]
    assert service.items() <= labels.items()
    assert policy.items() <= labels.items()
    assert service != others["Service", "conductor", "other-server"]["spec"]["selector"]


def test_a_changed_setting_begins_pods_anew():
    prints = {
        str(pod_of(thing)["metadata"]["annotations"])  # type: ignore[index]
        for level in ("info", "debug")
        for thing in helm(settings={"CONDUCTOR_LOG": level})
        if thing["kind"] == "Deployment"
    }
    assert len(prints) == 2


def test_an_upgrade_migrates_a_shared_database_first_and_an_uninstall_removes_stacks_unless_told_not_to():
    hooks = {hook_of(thing): pod_of(thing) for thing in helm("values-production.yaml") if hook_of(thing)}
    assert {name: pod["spec"]["containers"][0]["args"][0] for name, pod in hooks.items() if pod} == {
        "pre-upgrade": "migrate",
        "pre-delete": "stacks",
    }
    assert not [thing for thing in helm(uninstall={"deleteStacks": False}) if hook_of(thing)]


def test_what_the_pods_are_told_to_do_are_commands_of_conductor():
    told = {
        tuple(pod["spec"]["containers"][0]["args"])
        for thing in helm("values-production.yaml")
        if (pod := pod_of(thing))
    }
    command = typer.main.get_command(app)
    for first, *rest in told:
        named = command.commands[first]  # type: ignore[attr-defined]
        named = named.commands[rest.pop(0)] if hasattr(named, "commands") else named
        known = {option for parameter in named.params for option in parameter.opts}
        assert set(rest) <= known, first
