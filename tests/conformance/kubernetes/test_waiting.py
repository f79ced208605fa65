"""Waiting for an object, against an API server that answers what a test says: no cluster is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, cast

import pytest

from sandbox.providers.interface import Properties
from sandbox.providers.kubernetes import readiness, waiting
from sandbox.providers.kubernetes.connection import ApiError, Connection, Json
from sandbox.providers.kubernetes.waiting import NotReady, Waiter, seconds

PATH = "/apis/batch/v1/namespaces/n/jobs/j"


def job(uid: str = "1", **status: str) -> Json:
    """With conditions of these types and statuses."""
    told = [{"type": name, "status": value, "message": "by itself"} for name, value in status.items()]
    metadata = {"name": "j", "namespace": "n", "uid": uid, "generation": 2}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}, "status": {"conditions": told}}


class Answers:
    """A connection: each request is given the next; the last is given for ever."""

    def __init__(self, answers: Iterable[Json | ApiError]) -> None:
        self._answers = list(answers)

    def request(self, *_: object, **__: object) -> Json:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, ApiError):
            raise answer
        return answer


def waiter(*answers: Json | ApiError) -> Waiter:
    return Waiter(cast(Connection, Answers(answers)), patience=0)


GONE = ApiError(404, "NotFound", "not found")


def annotated(**annotations: str) -> Properties:
    return {"metadata": {"annotations": {f"pulumi.com/{name}": value for name, value in annotations.items()}}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_PAUSE", (0.001, 0.002))


def test_an_object_is_asked_for_until_it_is_ready() -> None:
    live, _ = waiter(job(), job(Complete="True")).ready(job(), PATH, {}, 10)
    assert live == job(Complete="True")


def test_what_has_failed_for_good_is_not_waited_for() -> None:
    with pytest.raises(NotReady, match=r"^the job failed: by itself$"):
        waiter(job(Complete="True")).ready(job(Failed="True"), PATH, {}, 10)


def test_what_somebody_else_deletes_meanwhile_is_told() -> None:
    with pytest.raises(NotReady, match="it was deleted by someone else"):
        waiter(GONE).ready(job(), PATH, {}, 10)


def test_a_refusal_meanwhile_is_told_as_it_is() -> None:
    with pytest.raises(ApiError, match="forbidden"):
        waiter(ApiError(403, "Forbidden", "forbidden")).ready(job(), PATH, {}, 10)


def test_the_program_s_time_comes_before_the_annotation_s() -> None:
    inputs = annotated(timeoutSeconds="7")
    assert (seconds(inputs, 3), seconds(inputs, 0), seconds({}, 0)) == (3, 7, waiting.DEFAULT_TIMEOUT)
    with pytest.raises(NotReady, match=r"^not ready after 0 s: 0 of 1 completions$"):
        waiter(job()).ready(job(), PATH, inputs, 0.01)


def test_what_is_not_to_be_waited_for_is_ready() -> None:
    assert waiter(job()).state(job(Failed="True"), annotated(skipAwait="true")).ready
    assert not waiter(job()).state(job(), annotated(skipAwait="false")).ready


def test_every_expression_has_to_be_met() -> None:
    """Whichever of them comes first."""
    for wanted in ('["condition=Met", "condition=Unmet"]', '["condition=Unmet", "condition=Met"]'):
        state = waiter(job()).state(job(Met="True", Complete="True"), annotated(waitFor=wanted))
        assert not state.ready and "condition=Unmet" in state.reason


@pytest.mark.parametrize("gone", [False, True])
def test_ctrl_c_ends_the_waiting(gone: bool) -> None:
    one = waiter(job())
    threading.Timer(0.02, one.cancel).start()
    with pytest.raises(NotReady, match=r"^cancelled while it was "):
        one.gone(PATH, "1", {}, 10) if gone else one.ready(job(), PATH, {}, 10)


def test_an_object_is_gone_when_it_is_or_when_another_has_its_name() -> None:
    waiter(job(), GONE).gone(PATH, "1", {}, 10)
    waiter(job(), job(uid="2")).gone(PATH, "1", {}, 10)
    with pytest.raises(NotReady, match=r"^still there after 0 s; finalizers a/b; by itself$"):
        held = job(Held="True")
        held["metadata"]["finalizers"] = ["a/b"]
        waiter(held).gone(PATH, "1", {}, 0.01)


def deployment(generation: int = 2, **status: Any) -> Json:
    metadata = {"name": "d", "namespace": "n", "generation": 2}
    seen = {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 2},
        "status": seen,
    }


LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"}


@pytest.mark.parametrize(
    ("live", "ready", "final"),
    [
        (deployment(), True, False),
        (deployment(generation=1), False, False),  # what it says is of the object before the change
        (deployment(replicas=3), False, False),  # one of the old pods is there yet
        (deployment(updatedReplicas=1), False, False),
        (deployment(availableReplicas=1), False, False),
        (deployment(availableReplicas=1, conditions=[LATE]), False, True),
        (deployment(generation=1, conditions=[LATE]), False, False),
    ],
)
def test_a_deployment_is_ready_when_all_of_it_is_new(live: Json, ready: bool, final: bool) -> None:
    state = readiness.check(live)
    assert (state.ready, state.final) == (ready, final)


def test_a_token_that_was_asked_for_is_waited_for() -> None:
    asked = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": {}}
    assert not readiness.check(asked).ready
    assert readiness.check({**asked, "data": {"token": "dA=="}}).ready
    assert readiness.check({**asked, "type": "Opaque"}).ready
