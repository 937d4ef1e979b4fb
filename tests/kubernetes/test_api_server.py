"""What the fake API server does is what a real one does: each test runs on both."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from conductor.adapters.kubernetes.streams.execution import Target, conversation
from conductor.adapters.kubernetes.streams.sockets import STATUS, STDERR, STDOUT
from tests.kubernetes.asking import (
    STEPS,
    STRATEGIC,
    Answer,
    Asking,
    asking,
    condition,
    config_map,
    holds,
    phase,
    state,
)
from tests.kubernetes.clusters import Cluster

STAYS = "trap 'exit 0' TERM; sleep 1000 & wait"


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[Asking]:
    async with asking(cluster.kubeconfig, cluster.image) as found:
        yield found


class TestObjects:
    async def test_a_namespace_bears_its_name_as_a_label(self, api: Asking):
        _, found = await api.ask("GET", f"/api/v1/namespaces/{api.namespace}")
        assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": api.namespace}
        assert (found["status"], found["spec"]) == ({"phase": "Active"}, {"finalizers": ["kubernetes"]})

    async def test_what_is_there_already_is_a_conflict_and_what_is_not_is_not_found(self, api: Asking):
        await api.create("configmaps", config_map("a"))
        code, answer = await api.ask("POST", api.path("configmaps"), config_map("a"))
        assert (code, answer["reason"], answer["message"]) == (
            409,
            "AlreadyExists",
            'configmaps "a" already exists',
        )
        assert answer["details"] == {"name": "a", "kind": "configmaps"}
        code, answer = await api.ask("GET", api.path("deployments", "a"))
        assert (code, answer["reason"]) == (404, "NotFound")
        assert answer["message"] == 'deployments.apps "a" not found'
        assert answer["details"] == {"name": "a", "group": "apps", "kind": "deployments"}

    async def test_an_object_has_an_identity_and_a_version_and_writing_the_same_again_is_no_new_one(
        self, api: Asking
    ):
        made = await api.create("configmaps", config_map("a", x="1"))
        assert made["metadata"].keys() >= {"uid", "resourceVersion", "creationTimestamp"}
        _, same = await api.patch("configmaps", "a", {"data": {"x": "1"}})
        assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        _, other = await api.patch("configmaps", "a", {"data": {"x": "2"}})
        assert int(other["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

    async def test_a_change_of_an_old_version_is_a_conflict(self, api: Asking):
        made = await api.create("configmaps", config_map("a", x="1"))
        await api.patch("configmaps", "a", {"data": {"x": "2"}})
        code, answer = await api.ask("PUT", api.path("configmaps", "a"), made)
        assert (code, answer["reason"]) == (409, "Conflict")
        assert answer["message"] == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )

    async def test_patches_merge_by_key_by_schema_and_by_steps(self, api: Asking):
        await api.create("configmaps", config_map("a", x="1", y="2"))
        _, found = await api.patch("configmaps", "a", {"data": {"x": None, "z": "3"}})
        assert found["data"] == {"y": "2", "z": "3"}
        steps = [
            {"op": "test", "path": "/data/y", "value": "2"},
            {"op": "replace", "path": "/data/y", "value": "4"},
        ]
        _, found = await api.patch("configmaps", "a", steps, STEPS)
        assert found["data"] == {"y": "4", "z": "3"}
        await api.create("deployments", api.deployment("web", STAYS, replicas=0))
        change = {
            "spec": {
                "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}
            }
        }
        _, found = await api.patch("deployments", "web", change, STRATEGIC)
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["env"]) == (api.image, [{"name": "A", "value": "1"}])

    @pytest.mark.parametrize("name", ["A_b", "-a", "a" * 254])
    async def test_a_name_that_cannot_be_one_is_invalid(self, api: Asking, name: str):
        code, answer = await api.ask("POST", api.path("configmaps"), config_map(name))
        assert (code, answer["reason"]) == (422, "Invalid")
        assert answer["details"]["causes"][0]["field"] == "metadata.name"
        assert answer["details"]["causes"][0]["reason"] in ("FieldValueInvalid", "FieldValueTooLong")

    async def test_a_pod_without_containers_and_a_selector_that_does_not_match_are_invalid(self, api: Asking):
        code, answer = await api.ask("POST", api.path("pods"), api.pod("p", "true", containers=[]))
        assert (code, answer["message"]) == (422, 'Pod "p" is invalid: spec.containers: Required value')
        wrong = api.deployment("d", STAYS)
        wrong["spec"]["selector"]["matchLabels"] = {"app": "other"}
        code, answer = await api.ask("POST", api.path("deployments"), wrong)
        assert code == 422
        assert answer["message"] == (
            'Deployment.apps "d" is invalid: spec.template.metadata.labels: Invalid value: {"app":"d"}: '
            "`selector` does not match template `labels`"
        )

    async def test_a_mount_of_no_volume_is_invalid(self, api: Asking):
        pod = api.pod("p", "true", container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]})
        code, answer = await api.ask("POST", api.path("pods"), pod)
        assert (code, answer["message"]) == (
            422,
            'Pod "p" is invalid: spec.containers[0].volumeMounts[0].name: Not found: "v"',
        )

    async def test_an_unknown_field_is_refused_where_that_is_asked_for(self, api: Asking):
        wrong = {**config_map("a"), "oops": 1}
        wrong["metadata"]["labls"] = {}
        code, answer = await api.ask("POST", api.path("configmaps"), wrong, fieldValidation="Strict")
        assert (code, answer["reason"]) == (400, "BadRequest")
        assert answer["message"] == (
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
            'unknown field "metadata.labls", unknown field "oops"'
        )
        code, answer = await api.ask("POST", api.path("configmaps"), wrong)
        assert (code, "oops" in answer) == (201, False)

    async def test_a_value_of_another_type_is_refused(self, api: Asking):
        wrong = api.deployment("d", STAYS)
        wrong["spec"]["replicas"] = "x"
        code, answer = await api.ask("POST", api.path("deployments"), wrong)
        assert code == 400
        assert (
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
            in answer["message"]
        )

    async def test_what_is_immutable_stays(self, api: Asking):
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"k": "v"},
            "immutable": True,
        }
        made = await api.create("secrets", secret)
        assert (made["data"], made["type"]) == ({"k": "dg=="}, "Opaque")
        code, answer = await api.patch("secrets", "s", {"data": {"k": "aGk="}})
        assert (code, answer["message"]) == (
            422,
            'Secret "s" is invalid: data: Forbidden: field is immutable when `immutable` is set',
        )

    async def test_a_dry_run_tells_of_a_secret_that_is_there_and_makes_none(self, api: Asking):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        code, _ = await api.ask("POST", api.path("secrets"), secret, dryRun="All")
        assert code == 201
        assert await api.items("secrets") == []
        await api.create("secrets", secret)
        code, answer = await api.ask("POST", api.path("secrets"), secret, dryRun="All")
        assert (code, answer["reason"]) == (409, "AlreadyExists")

    async def test_what_may_be_done_is_told(self, api: Asking):
        about = {"verb": "create", "resource": "secrets", "namespace": api.namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": about},
        }
        code, answer = await api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        assert (code, answer["status"]["allowed"]) == (201, True)


class TestApply:
    async def test_two_who_want_the_same_field_are_in_conflict_and_the_field_is_named(self, api: Asking):
        await api.apply("configmaps", config_map("a", x="1", y="2"), "one")
        code, answer = await api.apply("configmaps", config_map("a", x="3"), "two")
        assert (code, answer["reason"]) == (409, "Conflict")
        assert answer["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
        (cause,) = answer["details"]["causes"]
        assert cause == {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".data.x",
        }

    async def test_several_conflicts_are_told_together(self, api: Asking):
        await api.apply("configmaps", config_map("a", x="1", y="2"), "one")
        _, answer = await api.apply("configmaps", config_map("a", x="3", y="4"), "two")
        assert (
            answer["message"] == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'
        )

    async def test_a_conflict_names_the_item_of_a_list_by_its_key(self, api: Asking):
        await api.apply("deployments", api.deployment("web", STAYS, replicas=0), "one")
        other = api.deployment("web", STAYS, replicas=0)
        other["spec"]["template"]["spec"]["containers"][0]["image"] = "other:1"
        _, answer = await api.apply("deployments", other, "two")
        (cause,) = answer["details"]["causes"]
        assert cause["field"] == '.spec.template.spec.containers[name="main"].image'

    async def test_who_forces_takes_the_field_and_the_other_keeps_the_rest(self, api: Asking):
        await api.apply("configmaps", config_map("a", x="1", y="2"), "one")
        code, found = await api.apply("configmaps", config_map("a", x="3"), "two", force="true")
        assert (code, found["data"]) == (200, {"x": "3", "y": "2"})
        owned = {entry["manager"]: entry["fieldsV1"] for entry in found["metadata"]["managedFields"]}
        assert owned == {"one": {"f:data": {"f:y": {}}}, "two": {"f:data": {"f:x": {}}}}

    async def test_what_is_no_longer_wished_goes_unless_another_wishes_it(self, api: Asking):
        await api.apply("configmaps", config_map("a", x="1", y="2", z="3"), "one")
        await api.apply("configmaps", config_map("a", y="2"), "two")
        code, found = await api.apply("configmaps", config_map("a", z="3"), "one")
        assert (code, found["data"]) == (200, {"y": "2", "z": "3"})

    async def test_what_somebody_changed_plainly_is_theirs(self, api: Asking):
        await api.apply("configmaps", config_map("a", x="1"), "one")
        await api.patch("configmaps", "a", {"data": {"x": "2"}}, fieldManager="three")
        _, answer = await api.apply("configmaps", config_map("a", x="1"), "one")
        assert answer["details"]["causes"][0]["message"] == 'conflict with "three" using v1'

    async def test_items_of_a_list_are_merged_by_their_key(self, api: Asking):
        await api.create("deployments", api.deployment("web", STAYS, replicas=0), fieldManager="one")
        wish = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {
            "containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}}}  # fmt: skip
        _, found = await api.apply("deployments", wish, "two")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["env"]) == (api.image, [{"name": "A", "value": "1"}])
        wish["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
        _, found = await api.apply("deployments", wish, "two")
        assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "B", "value": "2"}]

    async def test_a_field_that_the_schema_does_not_know_is_an_error_of_the_server(self, api: Asking):
        wrong = api.deployment("web", STAYS)
        wrong["spec"]["template"]["spec"]["containers"][0]["nonsense"] = 1
        code, answer = await api.apply("deployments", wrong, "one")
        assert code == 500
        assert answer["message"] == (
            "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers[name="main"].nonsense: field not declared in schema'
        )

    async def test_who_applies_says_who_it_is(self, api: Asking):
        code, answer = await api.ask(
            "PATCH", api.path("configmaps", "a"), config_map("a"), "application/apply-patch+yaml"
        )
        assert (code, answer["details"]["causes"][0]["field"]) == (422, "fieldManager")

    async def test_applying_the_same_again_changes_nothing(self, api: Asking):
        _, first = await api.apply("configmaps", config_map("a", x="1"), "one")
        code, again = await api.apply("configmaps", config_map("a", x="1"), "one")
        assert (code, again["metadata"]["resourceVersion"]) == (200, first["metadata"]["resourceVersion"])


class TestListsAndWatches:
    async def test_labels_and_fields_select(self, api: Asking):
        await api.create("configmaps", config_map("a", labels={"k": "1"}))
        await api.create("configmaps", config_map("b", labels={"k": "2"}))

        async def names(**selectors: str) -> list[str]:
            found = [thing["metadata"]["name"] for thing in await api.items("configmaps", **selectors)]
            return [name for name in found if name in ("a", "b")]

        assert await names(labelSelector="k=1") == ["a"]
        assert await names(labelSelector="k in (1,2)") == ["a", "b"]
        assert await names(labelSelector="k,k notin (1)") == ["b"]
        assert await names(labelSelector="!k") == []
        assert await names(labelSelector="k!=1") == ["b"]
        assert await names(fieldSelector="metadata.name=b") == ["b"]
        code, answer = await api.ask("GET", api.path("configmaps"), fieldSelector="data.x=1")
        assert (code, answer["message"]) == (
            400,
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        )

    async def test_what_is_listed_says_not_what_kind_it_is(self, api: Asking):
        await api.create("configmaps", config_map("a"))
        for thing in await api.items("configmaps"):
            assert "kind" not in thing

    async def test_a_list_comes_in_pages_of_one_moment(self, api: Asking):
        for name in "abc":
            await api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
        _, first = await api.ask("GET", api.path("secrets"), limit="2")
        assert [s["metadata"]["name"] for s in first["items"]] == ["a", "b"]
        assert first["metadata"]["remainingItemCount"] == 1
        await api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d"}})
        _, second = await api.ask(
            "GET", api.path("secrets"), limit="2", **{"continue": first["metadata"]["continue"]}
        )
        assert [s["metadata"]["name"] for s in second["items"]] == ["c"]
        assert "continue" not in second["metadata"]

    async def test_a_watch_goes_on_from_the_version_of_a_list(self, api: Asking):
        await api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "before"}})
        _, listed = await api.ask("GET", api.path("secrets"))
        made = await api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
        await api.patch("secrets", "a", {"data": {"k": "dg=="}})
        await api.delete("secrets", "a")
        seen = []
        async with aclosing(
            api.watch("secrets", resourceVersion=listed["metadata"]["resourceVersion"])
        ) as watch:
            async for event in watch:
                seen.append((event["type"], event["object"]["metadata"]["name"]))
                if event["type"] == "DELETED":
                    break
        assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
        assert int(event["object"]["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

    async def test_a_watch_without_a_version_begins_with_what_is_there_and_ends_in_its_time(
        self, api: Asking
    ):
        await api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
        seen = [event["type"] async for event in api.watch("secrets", timeoutSeconds="1")]
        assert seen == ["ADDED"]

    async def test_what_comes_into_a_selection_is_added_and_what_leaves_it_is_deleted(self, api: Asking):
        _, listed = await api.ask("GET", api.path("configmaps"))
        await api.create("configmaps", config_map("a"))
        for value in ("1", "1", "2"):
            await api.patch("configmaps", "a", {"metadata": {"labels": {"k": value}}, "data": {"n": value}})
        version = listed["metadata"]["resourceVersion"]
        seen = [
            e["type"]
            async for e in api.watch(
                "configmaps", resourceVersion=version, labelSelector="k=1", timeoutSeconds="1"
            )
        ]
        assert seen == ["ADDED", "DELETED"]

    async def test_a_version_that_is_too_old_is_gone(self, api: Asking):
        (event,) = [event async for event in api.watch("configmaps", resourceVersion="1", timeoutSeconds="5")]
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == (
            "ERROR",
            410,
            "Expired",
        )
        assert re.fullmatch(r"too old resource version: 1 \(\d+\)", event["object"]["message"])

    async def test_what_is_not_served_is_not_found(self, api: Asking):
        code, answer = await api.ask("GET", api.path("nonsense"))
        assert (code, answer["message"]) == (404, "the server could not find the requested resource")
        code, answer = await api.ask("GET", "/apis/nonsense.example/v1/things")
        assert (code, answer) == (404, {"text": "404 page not found\n"})


class TestDeletion:
    async def test_only_the_object_that_is_meant_is_deleted(self, api: Asking):
        made = await api.create("configmaps", config_map("a"))
        code, answer = await api.delete("configmaps", "a", preconditions={"uid": "123"})
        assert (code, answer["reason"]) == (409, "Conflict")
        assert "the UID in the precondition (123) does not match the UID in record" in answer["message"]
        code, answer = await api.delete("configmaps", "a", preconditions={"uid": made["metadata"]["uid"]})
        assert (code, answer["status"], answer["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])

    async def test_a_finalizer_holds_an_object_until_it_is_taken_off(self, api: Asking):
        await api.create("configmaps", config_map("a", finalizers=["example.com/hold"]))
        code, answer = await api.delete("configmaps", "a")
        assert (code, "deletionTimestamp" in answer["metadata"]) == (200, True)
        await api.get("configmaps", "a")
        await api.patch("configmaps", "a", {"metadata": {"finalizers": None}})
        code, _ = await api.ask("GET", api.path("configmaps", "a"))
        assert code == 404

    async def test_in_the_background_what_is_owned_goes_after_its_owner(self, api: Asking):
        owner = await api.create("configmaps", config_map("owner"))
        owned = config_map("owned")
        owned["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        ]
        await api.create("configmaps", owned)
        version = await api.version("configmaps")
        await api.delete("configmaps", "owner", propagationPolicy="Background")
        await api.until(
            "configmaps", lambda c: c["metadata"]["name"] == "owned", gone=True, resourceVersion=version
        )

    async def test_in_the_foreground_the_owner_goes_last(self, api: Asking):
        await api.create("jobs", api.job("j", STAYS))
        await api.pod_of("j", lambda pod: phase(pod) == "Running")
        assert await api.items("pods")
        version = await api.version("jobs")
        code, answer = await api.delete("jobs", "j", propagationPolicy="Foreground")
        assert (code, answer["metadata"]["finalizers"]) == (200, ["foregroundDeletion"])
        await api.until(
            "jobs", lambda job: job["metadata"]["name"] == "j", gone=True, resourceVersion=version
        )
        assert await api.items("pods") == []

    async def test_a_job_that_is_deleted_without_a_word_leaves_its_pod(self, api: Asking):
        await api.create("jobs", api.job("j", "exit 0"))
        await api.pod_of("j", lambda pod: phase(pod) == "Succeeded")
        await api.until("jobs", lambda job: holds(job, "Complete"))
        await api.delete("jobs", "j")
        pod = await api.pod_of("j", lambda pod: not pod["metadata"].get("ownerReferences"))
        assert phase(pod) == "Succeeded"

    async def test_a_pod_that_hears_no_signal_is_killed_after_its_grace(self, api: Asking):
        await api.create("pods", api.pod("p", "sleep 1000 & wait"))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        version = await api.version("pods")
        _, answer = await api.delete("pods", "p")
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 1
        last = await api.until(
            "pods", lambda pod: pod["metadata"]["name"] == "p", gone=True, resourceVersion=version
        )
        assert (phase(last), state(last)["terminated"]["exitCode"]) == ("Failed", 137)

    async def test_an_end_under_way_keeps_its_grace_and_without_any_the_object_goes_at_once(
        self, api: Asking
    ):
        await api.create("pods", api.pod("p", "sleep 1000 & wait", terminationGracePeriodSeconds=600))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        await api.delete("pods", "p")
        await api.event("Killing")
        await api.delete("pods", "p", gracePeriodSeconds=1)
        found = await api.get("pods", "p")
        assert (found["metadata"]["deletionGracePeriodSeconds"], phase(found)) == (1, "Running")
        await api.delete("pods", "p", gracePeriodSeconds=0)
        code, _ = await api.ask("GET", api.path("pods", "p"))
        assert code == 404

    async def test_in_a_namespace_that_goes_nothing_new_is_made_and_what_holds_it_is_said(self, api: Asking):
        await api.create("configmaps", config_map("held", finalizers=["example.com/hold"]))
        _, answer = await api.ask("DELETE", f"/api/v1/namespaces/{api.namespace}")
        assert phase(answer) == "Terminating"
        code, answer = await api.ask("POST", api.path("configmaps"), config_map("late"))
        assert (code, answer["reason"]) == (403, "Forbidden")
        assert answer["message"] == (
            f'configmaps "late" is forbidden: unable to create new content in namespace {api.namespace} '
            "because it is being terminated"
        )
        assert answer["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        await _until_namespace(api, lambda found: holds(found, "NamespaceFinalizersRemaining"), version="")
        _, found = await api.ask("GET", f"/api/v1/namespaces/{api.namespace}")
        assert condition(found, "NamespaceFinalizersRemaining")["message"] == (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        )
        assert condition(found, "NamespaceContentRemaining")["message"] == (
            "Some resources are remaining: configmaps. has 1 resource instances"
        )
        await api.patch("configmaps", "held", {"metadata": {"finalizers": None}})
        await _until_namespace(api, None, version=found["metadata"]["resourceVersion"])


async def _until_namespace(api: Asking, wanted: Callable[[Answer], bool] | None, *, version: str) -> None:
    """Wait for a namespace's state, or for its end."""
    path, named = "/api/v1/namespaces", {"watch": "true", "fieldSelector": f"metadata.name={api.namespace}"}
    asked = {**named, **({"resourceVersion": version} if version else {})}
    async with asyncio.timeout(60):
        async with api.client.http.stream("GET", path, params=asked, timeout=60) as answer:
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "DELETED" if wanted is None else wanted(event["object"]):
                    return
    raise AssertionError("the watch ended before it happened")


class TestJobs:
    async def test_a_job_that_goes_well_is_complete_and_keeps_its_pod(self, api: Asking):
        await api.create("jobs", api.job("j", "echo done"))
        job = await api.until("jobs", lambda job: holds(job, "Complete"))
        assert job["status"]["succeeded"] == 1
        assert [c["type"] for c in job["status"]["conditions"]] == ["SuccessCriteriaMet", "Complete"]
        assert {c["reason"] for c in job["status"]["conditions"]} == {"CompletionsReached"}
        pod = await api.pod_of("j")
        assert (phase(pod), state(pod)["terminated"]["reason"]) == ("Succeeded", "Completed")
        assert "finalizers" not in pod["metadata"]
        assert pod["metadata"]["labels"].keys() >= {
            "batch.kubernetes.io/job-name",
            "batch.kubernetes.io/controller-uid",
        }

    async def test_a_job_without_another_try_fails_with_its_pods_exit_code_in_the_pod(self, api: Asking):
        await api.create("jobs", api.job("j", "exit 3"))
        job = await api.until("jobs", lambda job: holds(job, "Failed"))
        failed = condition(job, "Failed")
        assert (failed["reason"], failed["message"]) == (
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        )
        assert (job["status"]["failed"], job["status"].get("active")) == (1, None)
        pod = await api.pod_of("j")
        assert (phase(pod), state(pod)["terminated"]["exitCode"], state(pod)["terminated"]["reason"]) == (
            "Failed",
            3,
            "Error",
        )

    async def test_a_rule_for_an_exit_code_fails_the_job_at_once(self, api: Asking):
        rule = {
            "action": "FailJob",
            "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]},
        }
        await api.create("jobs", api.job("j", "exit 42", backoffLimit=6, podFailurePolicy={"rules": [rule]}))
        job = await api.until("jobs", lambda job: holds(job, "Failed"))
        failed = condition(job, "Failed")
        assert failed["reason"] == "PodFailurePolicy"
        assert re.fullmatch(
            rf"Container main for pod {api.namespace}/j-\w+ failed with exit code 42 matching FailJob rule at index 0",
            failed["message"],
        )

    async def test_a_pod_that_is_evicted_is_made_again_where_that_is_ignored(self, api: Asking):
        rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        await api.create("jobs", api.job("j", "exec sleep 1000", podFailurePolicy={"rules": [rule]}))
        first = await api.pod_of("j", lambda pod: phase(pod) == "Running")
        name = first["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        code, _ = await api.ask("POST", api.path("pods", name, "eviction"), eviction)
        assert code == 201
        second = await api.pod_of(
            "j", lambda pod: pod["metadata"]["name"] != name and phase(pod) == "Running"
        )
        assert second["metadata"]["name"] != name
        job = await api.get("jobs", "j")
        assert (job["status"]["active"], job["status"].get("failed")) == (1, None)

    async def test_an_evicted_pod_says_so_before_it_goes(self, api: Asking):
        await api.create(
            "pods",
            {
                **api.pod("p", STAYS),
                "metadata": {"name": "p", "labels": {"app": "p"}, "finalizers": ["example.com/hold"]},
            },
        )
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
        await api.ask("POST", api.path("pods", "p", "eviction"), eviction)
        pod = await api.pod_of("p", lambda pod: phase(pod) in ("Succeeded", "Failed"))
        disrupted = condition(pod, "DisruptionTarget")
        assert (disrupted["reason"], disrupted["message"]) == (
            "EvictionByEvictionAPI",
            "Eviction API: evicting",
        )
        await api.patch("pods", "p", {"metadata": {"finalizers": None}})

    async def test_a_job_sleeps_without_pods_and_goes_on(self, api: Asking):
        await api.create("jobs", api.job("j", STAYS))
        first = await api.pod_of("j", lambda pod: phase(pod) == "Running")
        await api.patch("jobs", "j", {"spec": {"suspend": True}})
        job = await api.until("jobs", lambda job: holds(job, "Suspended"))
        assert condition(job, "Suspended")["reason"] == "JobSuspended"
        job = await api.until(
            "jobs", lambda job: not job["status"].get("active") and not job["status"].get("terminating")
        )
        assert job["status"].get("failed") is None
        await api.patch("jobs", "j", {"spec": {"suspend": False}})
        second = await api.pod_of(
            "j", lambda pod: phase(pod) == "Running" and not pod["metadata"].get("deletionTimestamp")
        )
        assert second["metadata"]["uid"] != first["metadata"]["uid"]

    async def test_a_job_over_its_own_time_loses_its_pod(self, api: Asking):
        await api.create("jobs", api.job("j", STAYS, activeDeadlineSeconds=2))
        job = await api.until("jobs", lambda job: holds(job, "Failed"))
        failed = condition(job, "Failed")
        assert (failed["reason"], failed["message"]) == (
            "DeadlineExceeded",
            "Job was active longer than specified deadline",
        )
        assert await api.items("pods") == []

    async def test_a_jobs_template_does_not_change(self, api: Asking):
        await api.create("jobs", api.job("j", "true"))
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:1"}]
        code, answer = await api.patch("jobs", "j", change, STEPS)
        assert (code, answer["details"]["causes"][0]["field"]) == (422, "spec.template")
        assert answer["message"].endswith("field is immutable")


class TestPods:
    async def test_a_pod_that_runs_is_ready_and_says_since_when(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS))
        pod = await api.pod_of("p", lambda pod: holds(pod, "Ready"))
        assert phase(pod) == "Running"
        assert state(pod).keys() == {"running"}
        assert {c["type"] for c in pod["status"]["conditions"]} >= {
            "PodScheduled",
            "Initialized",
            "Ready",
            "ContainersReady",
        }
        assert pod["status"].keys() >= {"startTime", "podIP", "hostIP", "qosClass"}

    async def test_an_image_that_is_not_there_is_said(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS, container={"image": "localhost/nowhere:1"}))
        pod = await api.pod_of(
            "p", lambda pod: state(pod).get("waiting", {}).get("reason") == "ErrImageNeverPull"
        )
        assert (
            state(pod)["waiting"]["message"]
            == 'Container image "localhost/nowhere:1" is not present with pull policy of Never'
        )
        code, text = await api.log("p")
        assert (code, json.loads(text)["message"]) == (
            400,
            'container "main" in pod "p" is waiting to start: ErrImageNeverPull',
        )

    async def test_a_program_that_is_not_there_is_an_end(self, api: Asking):
        await api.create("pods", api.pod("p", "", container={"command": ["/no/such/program"]}))
        pod = await api.pod_of("p", lambda pod: phase(pod) == "Failed")
        ended = state(pod)["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        assert (
            'exec: "/no/such/program": stat /no/such/program: no such file or directory' in ended["message"]
        )

    async def test_a_variable_of_a_secret_that_is_missing_is_waited_for(self, api: Asking):
        source = {"secretKeyRef": {"name": "s", "key": "k"}}
        await api.create(
            "pods", api.pod("p", "echo $K", container={"env": [{"name": "K", "valueFrom": source}]})
        )
        pod = await api.pod_of(
            "p", lambda pod: state(pod).get("waiting", {}).get("reason") == "CreateContainerConfigError"
        )
        assert state(pod)["waiting"]["message"] == 'secret "s" not found'
        await api.create(
            "secrets",
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}},
        )
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert await api.log("p") == (200, "v\n")

    async def test_a_key_that_is_missing_is_named(self, api: Asking):
        await api.create("configmaps", config_map("c"))
        source = {"configMapKeyRef": {"name": "c", "key": "k"}}
        await api.create(
            "pods", api.pod("p", "true", container={"env": [{"name": "K", "valueFrom": source}]})
        )
        pod = await api.pod_of(
            "p", lambda pod: state(pod).get("waiting", {}).get("reason") == "CreateContainerConfigError"
        )
        assert state(pod)["waiting"]["message"] == f"couldn't find key k in ConfigMap {api.namespace}/c"

    async def test_a_volume_of_a_configmap_that_is_missing_is_told_in_an_event(self, api: Asking):
        mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        await api.create(
            "pods", api.pod("p", "true", container=mount, volumes=[{"name": "v", "configMap": {"name": "c"}}])
        )
        event = await api.event("FailedMount")
        assert event["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "c" not found'

    async def test_files_of_a_configmap_are_mounted_as_they_are_named(self, api: Asking):
        await api.create("configmaps", config_map("c", a="one", b="two"))
        volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": "deep/x"}]}}
        mounts = [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/etc/y", "subPath": "deep/x"}]
        await api.create(
            "pods",
            api.pod("p", "cat /v/deep/x /etc/y; ls /v", container={"volumeMounts": mounts}, volumes=[volume]),
        )
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert await api.log("p") == (200, "oneonedeep\n")

    async def test_variables_are_put_into_words_and_into_each_other(self, api: Asking):
        variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$$(A)-$(C)"}]
        await api.create("pods", api.pod("p", 'echo "$B $0"', container={"env": variables, "args": ["$(A)"]}))
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert await api.log("p") == (200, "1-$(A)-$(C) 1\n")

    async def test_a_time_limit_ends_a_pod_and_can_only_be_lowered(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS, activeDeadlineSeconds=600))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        code, answer = await api.patch("pods", "p", {"spec": {"activeDeadlineSeconds": 700}})
        assert (code, answer["details"]["causes"][0]["field"]) == (422, "spec.activeDeadlineSeconds")
        assert "must be less than or equal to previous value" in answer["message"]
        code, _ = await api.patch("pods", "p", {"spec": {"activeDeadlineSeconds": 1}})
        assert code == 200
        pod = await api.pod_of("p", lambda pod: phase(pod) == "Failed")
        assert (pod["status"]["reason"], pod["status"]["message"]) == (
            "DeadlineExceeded",
            "Pod was active on the node longer than the specified deadline",
        )

    async def test_little_of_a_pod_can_be_changed(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS))
        code, answer = await api.patch("pods", "p", {"spec": {"restartPolicy": "Always"}})
        assert (code, answer["reason"]) == (422, "Invalid")
        assert "pod updates may not change fields other than" in answer["message"]

    async def test_a_container_that_fails_is_started_again_and_the_log_before_is_kept(self, api: Asking):
        script = "echo try; exit 1"
        await api.create("pods", api.pod("p", script, restartPolicy="OnFailure"))

        def again(pod) -> bool:  # noqa: ANN001
            return bool(state(pod).get("waiting", {}).get("reason") == "CrashLoopBackOff")

        pod = await api.pod_of("p", again)
        (status,) = pod["status"]["containerStatuses"]
        assert status["restartCount"] >= 1
        assert status["lastState"]["terminated"]["exitCode"] == 1
        assert re.match(
            r"back-off \d+s restarting failed container=main pod=p_", state(pod)["waiting"]["message"]
        )
        assert await api.log("p", previous="true") == (200, "try\n")

    async def test_a_sidecar_is_told_to_end_once_the_main_container_has(self, api: Asking):
        sidecar = {
            "name": "beside",
            "image": api.image,
            "imagePullPolicy": "Never",
            "restartPolicy": "Always",
            "command": ["sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done"],
        }
        await api.create(
            "pods", api.pod("p", "exit 3", initContainers=[sidecar], terminationGracePeriodSeconds=10)
        )
        pod = await api.pod_of("p", lambda pod: phase(pod) == "Failed")
        assert state(pod)["terminated"]["exitCode"] == 3
        assert state(pod, "beside")["terminated"]["exitCode"] == 0
        assert await api.log("p", container="beside") == (200, "bye\n")

    async def test_init_containers_run_one_after_the_other_and_share_volumes(self, api: Asking):
        mount = [{"name": "v", "mountPath": "/v"}]
        steps = [
            {
                "name": name,
                "image": api.image,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", f"echo {name} >> /v/x"],
                "volumeMounts": mount,
            }
            for name in ("one", "two")
        ]
        pod = api.pod(
            "p",
            "cat /v/x",
            container={"volumeMounts": mount},
            initContainers=steps,
            volumes=[{"name": "v", "emptyDir": {}}],
        )
        await api.create("pods", pod)
        found = await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert await api.log("p") == (200, "one\ntwo\n")
        assert state(found, "one")["terminated"]["reason"] == "Completed"

    async def test_an_init_container_that_fails_ends_the_pod(self, api: Asking):
        step = {
            "name": "one",
            "image": api.image,
            "imagePullPolicy": "Never",
            "command": ["sh", "-c", "exit 4"],
        }
        await api.create("pods", api.pod("p", "true", initContainers=[step]))
        pod = await api.pod_of("p", lambda pod: phase(pod) == "Failed")
        assert state(pod, "one")["terminated"]["exitCode"] == 4
        assert state(pod) == {"waiting": {"reason": "PodInitializing"}}

    async def test_what_a_container_leaves_as_its_message_is_in_its_status(self, api: Asking):
        await api.create("pods", api.pod("p", "echo sha256:1 > /dev/termination-log"))
        pod = await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert state(pod)["terminated"]["message"] == "sha256:1\n"

    async def test_a_pod_is_not_ready_before_its_check_goes_well(self, api: Asking):
        check = {"exec": {"command": ["test", "-e", "/tmp/well"]}, "periodSeconds": 1}
        await api.create("pods", api.pod("p", STAYS, container={"readinessProbe": check}))
        event = await api.event("Unhealthy")
        assert event["message"].startswith("Readiness probe failed:")
        assert event["involvedObject"]["fieldPath"] == "spec.containers{main}"
        assert not holds(await api.get("pods", "p"), "Ready")
        await _run(api, "p", "touch", "/tmp/well")
        await api.pod_of("p", lambda pod: holds(pod, "Ready"))


class TestLogs:
    async def test_a_log_is_read_from_its_end_in_part_and_with_its_times(self, api: Asking):
        await api.create("pods", api.pod("p", "for n in 1 2 3 4; do echo line $n; done"))
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        assert await api.log("p") == (200, "line 1\nline 2\nline 3\nline 4\n")
        assert await api.log("p", tailLines="1") == (200, "line 4\n")
        assert await api.log("p", limitBytes="10") == (200, "line 1\nlin")
        _, text = await api.log("p", timestamps="true")
        times = [line.partition(" ")[0] for line in text.splitlines()]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time) for time in times)
        assert [line.partition(" ")[2] for line in text.splitlines()] == [
            "line 1",
            "line 2",
            "line 3",
            "line 4",
        ]

    async def test_a_moment_is_taken_in_whole_seconds_and_belongs_to_what_is_read(self, api: Asking):
        await api.create("pods", api.pod("p", "echo one; sleep 2; echo two"))
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        _, text = await api.log("p", timestamps="true")
        first, second = (line.partition(" ")[0] for line in text.splitlines())
        assert await api.log("p", sinceTime=second) == (200, "two\n")
        assert await api.log("p", sinceTime=first) == (200, "one\ntwo\n")
        late = re.sub(r":\d\d(\.\d+)?Z", r":59.999999999Z", second)
        assert (await api.log("p", sinceTime=late))[1] in ("", "two\n")

    async def test_a_log_that_is_followed_ends_with_the_container(self, api: Asking):
        await api.create("pods", api.pod("p", "echo one; sleep 1; echo two"))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        assert await api.log("p", follow="true") == (200, "one\ntwo\n")

    async def test_whose_log_is_meant_must_be_clear(self, api: Asking):
        two = {"name": "second", "image": api.image, "imagePullPolicy": "Never", "command": ["true"]}
        pod = api.pod("p", "true")
        pod["spec"]["containers"].append(two)
        await api.create("pods", pod)
        code, text = await api.log("p")
        assert (code, json.loads(text)["message"]) == (
            400,
            "a container name must be specified for pod p, choose one of: [main second]",
        )
        code, text = await api.log("p", container="third")
        assert (code, json.loads(text)["message"]) == (400, "container third is not valid for pod p")
        await api.pod_of("p", lambda pod: phase(pod) == "Succeeded")
        code, text = await api.log("p", container="main", previous="true")
        assert (code, json.loads(text)["message"]) == (
            400,
            'previous terminated container "main" in pod "p" not found',
        )


async def _run(api: Asking, pod: str, *command: str, stdin: bytes = b"") -> tuple[bytes, bytes, dict]:  # type: ignore[type-arg]
    """Run a command in a pod; return its output, its errors and its status."""
    out = {STDOUT: b"", STDERR: b"", STATUS: b""}
    async with asyncio.timeout(60):
        async for message in conversation(
            api.client, Target(namespace=api.namespace, pod=pod, container="main"), command, stdin=stdin
        ):
            out[message.channel] += message.data
    return out[STDOUT], out[STDERR], json.loads(out[STATUS])


class TestCommands:
    async def test_a_command_has_its_streams_apart_and_its_exit_code(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        out, errors, status = await _run(api, "p", "sh", "-c", "echo out; echo err >&2; exit 3")
        assert (out, errors) == (b"out\n", b"err\n")
        assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
        assert (
            status["message"]
            == "command terminated with non-zero exit code: command terminated with exit code 3"
        )
        out, _, status = await _run(api, "p", "true")
        assert (out, status["status"]) == (b"", "Success")

    async def test_what_is_sent_to_a_command_comes_whole(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        sent = bytes(range(256)) * 1000
        out, _, status = await _run(api, "p", "cat", stdin=sent)
        assert (out == sent, status["status"]) == (True, "Success")

    async def test_a_command_that_is_not_there_cannot_be_run(self, api: Asking):
        await api.create("pods", api.pod("p", STAYS))
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        _, _, status = await _run(api, "p", "nonsense")
        assert (status["status"], status["reason"], status["code"]) == ("Failure", "InternalError", 500)
        assert 'exec: "nonsense": executable file not found in $PATH' in status["message"]

    async def test_a_command_sees_the_containers_files_and_variables(self, api: Asking):
        await api.create(
            "pods",
            api.pod("p", f"echo here > /tmp/x; {STAYS}", container={"env": [{"name": "A", "value": "1"}]}),
        )
        await api.pod_of("p", lambda pod: phase(pod) == "Running")
        out, _, _ = await _run(
            api, "p", "sh", "-c", "while ! [ -s /tmp/x ]; do sleep 0.1; done; cat /tmp/x; echo $A"
        )
        assert out == b"here\n1\n"


class TestAdmission:
    async def test_a_pod_that_the_quota_has_no_room_for_is_told_in_an_event_of_its_job(self, api: Asking):
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q"},
            "spec": {"hard": {"pods": "0"}},
        }
        await api.create("resourcequotas", quota)
        await api.until("resourcequotas", lambda q: q.get("status", {}).get("used"))
        await api.create("jobs", api.job("j", "true"))
        event = await api.event("FailedCreate")
        assert re.fullmatch(
            r'Error creating: pods "j-\w+" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
            event["message"],
        )
        job = await api.get("jobs", "j")
        assert not job["status"].get("conditions")
        assert await api.items("pods") == []

    async def test_what_a_quota_counts_has_to_be_said_and_a_limit_range_says_it(self, api: Asking):
        hard = {"requests.cpu": "1", "limits.memory": "1Gi"}
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q"},
            "spec": {"hard": hard},
        }
        await api.create("resourcequotas", quota)
        await api.until("resourcequotas", lambda q: q.get("status", {}).get("used"))
        code, answer = await api.ask("POST", api.path("pods"), api.pod("p", "true"))
        assert (code, answer["message"]) == (
            403,
            'pods "p" is forbidden: failed quota: q: must specify limits.memory for: main; requests.cpu for: main',
        )
        defaults = {
            "type": "Container",
            "default": {"memory": "64Mi"},
            "defaultRequest": {"cpu": "50m", "memory": "32Mi"},
        }
        limits = {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "l"},
            "spec": {"limits": [defaults]},
        }
        await api.create("limitranges", limits)
        made = await _admitted(api, api.pod("p", STAYS))
        resources = made["spec"]["containers"][0]["resources"]
        assert resources == {"limits": {"memory": "64Mi"}, "requests": {"cpu": "50m", "memory": "32Mi"}}
        used = await api.until("resourcequotas", lambda q: q["status"]["used"].get("requests.cpu") == "50m")
        assert used["status"]["used"] == {"requests.cpu": "50m", "limits.memory": "64Mi"}

    async def test_what_baseline_does_not_allow_is_refused_with_its_reasons(self, cluster: Cluster):
        label = {"pod-security.kubernetes.io/enforce": "baseline"}
        async with asking(cluster.kubeconfig, cluster.image, **label) as api:
            wrong = api.pod(
                "p", "true", hostNetwork=True, container={"securityContext": {"privileged": True}}
            )
            wrong["spec"]["volumes"] = [{"name": "v", "hostPath": {"path": "/"}}]
            code, answer = await api.ask("POST", api.path("pods"), wrong)
            assert code == 403
            assert answer["message"] == (
                'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), hostPath volumes '
                '(volume "v"), privileged (container "main" must not set securityContext.privileged=true)'
            )
            adds = {"securityContext": {"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}}
            _, answer = await api.ask("POST", api.path("pods"), api.pod("p", "true", container=adds))
            assert answer["message"].endswith(
                'non-default capabilities (container "main" must not include "NET_ADMIN" in securityContext.capabilities.add)'
            )


async def _admitted(api: Asking, pod: dict) -> dict:  # type: ignore[type-arg]
    """Create a pod once the new limits are known: a real server's admission sees them a moment later."""
    async with asyncio.timeout(30):
        while True:
            code, answer = await api.ask("POST", api.path("pods"), pod)
            if code == 201:
                return answer


class TestWorkloads:
    async def test_a_deployment_makes_its_pod_again_and_none_when_it_is_to_have_none(self, api: Asking):
        await api.create("deployments", api.deployment("web", STAYS))
        first = await api.pod_of("web", lambda pod: holds(pod, "Ready"))
        await api.until("deployments", lambda d: d["status"].get("availableReplicas") == 1)
        await api.delete("pods", first["metadata"]["name"])
        second = await api.pod_of(
            "web", lambda p: holds(p, "Ready") and p["metadata"]["uid"] != first["metadata"]["uid"]
        )
        assert second["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
        version = await api.version("pods")
        await api.patch("deployments", "web", {"spec": {"replicas": 0}})
        uid = second["metadata"]["uid"]
        await api.until("pods", lambda pod: pod["metadata"]["uid"] == uid, gone=True, resourceVersion=version)
        found = await api.until("deployments", lambda d: not d["status"].get("replicas"))
        assert holds(found, "Available")

    async def test_a_recreated_deployment_ends_the_old_pod_before_it_starts_the_new(self, api: Asking):
        await api.create("deployments", api.deployment("web", STAYS))
        old = await api.pod_of("web", lambda pod: holds(pod, "Ready"))
        change = {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}
        await api.patch("deployments", "web", change)
        new = await api.pod_of("web", lambda pod: pod["metadata"].get("annotations", {}).get("v") == "2")
        for pod in await api.items("pods"):
            assert pod["metadata"]["uid"] != old["metadata"]["uid"] or phase(pod) in ("Succeeded", "Failed")
        assert (
            new["metadata"]["labels"]["pod-template-hash"] != old["metadata"]["labels"]["pod-template-hash"]
        )

    async def test_a_stateful_set_names_its_pods_and_their_claims(self, api: Asking):
        template = api.template("db", "echo kept > /data/x; " + STAYS, restartPolicy="Always")
        del template["metadata"]["name"]
        template["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        spec = {
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template,
            "volumeClaimTemplates": [claim],
        }
        await api.create(
            "statefulsets",
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec},
        )
        pod = await api.pod_of("db", lambda pod: holds(pod, "Ready"))
        assert pod["metadata"]["name"] == "db-0"
        assert [claim["metadata"]["name"] for claim in await api.items("persistentvolumeclaims")] == [
            "data-db-0"
        ]

    async def test_a_claim_is_bound_once_a_pod_wants_it_and_what_is_in_it_stays(self, api: Asking):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await api.create(
            "persistentvolumeclaims",
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"}, "spec": spec},
        )
        assert phase(await api.get("persistentvolumeclaims", "d")) == "Pending"
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": "d"}}
        mount = {"volumeMounts": [{"name": "v", "mountPath": "/d"}]}
        for name, script in (("first", "echo kept > /d/x"), ("second", "cat /d/x")):
            await api.create("pods", api.pod(name, script, container=mount, volumes=[volume]))
            await api.pod_of(name, lambda pod: phase(pod) == "Succeeded")
        assert await api.log("second") == (200, "kept\n")
        assert phase(await api.get("persistentvolumeclaims", "d")) == "Bound"

    async def test_a_pod_of_a_claim_that_is_not_there_finds_no_node(self, api: Asking):
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": "nothing"}}
        await api.create("pods", api.pod("p", "true", volumes=[volume]))
        pod = await api.pod_of("p", lambda pod: condition(pod, "PodScheduled"))
        scheduled = condition(pod, "PodScheduled")
        assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
        assert 'persistentvolumeclaim "nothing" not found' in scheduled["message"]

    async def test_a_pod_that_asks_for_too_much_finds_no_node(self, api: Asking):
        resources = {"resources": {"requests": {"cpu": "1000"}}}
        await api.create("pods", api.pod("p", "true", container=resources))
        event = await api.event("FailedScheduling")
        assert "Insufficient cpu" in event["message"]
        assert phase(await api.get("pods", "p")) == "Pending"
