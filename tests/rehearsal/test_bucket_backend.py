"""Engine runs whose states are in a bucket, where nobody can tell whether the holder of a lock lives."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import pytest

from errors import FreeholdError, TransientError
from fleet.events import Progress
from fleet.interrupts import Interrupted, Interrupts
from fleet.state import read_state
from tests.rehearsal.engine import sdks
from tests.rehearsal.freehold import until
from tests.rehearsal.trivial import Trivial
from tests.temporary_sandbox import Sandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(600)]

STATE = ".pulumi/stacks/trivial/dev.json"


@pytest.fixture
def trivial(tmp_path: Path, sandbox: Sandbox) -> Trivial:
    """Its states are in a bucket of the sandbox."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION")
    variables = {name: sandbox.environment[name] for name in names}
    name = f"state-{uuid.uuid4().hex[:8]}"
    client(variables).create_bucket(Bucket=name)
    place = f"endpoint={urlsplit(variables['AWS_ENDPOINT_URL']).netloc}&disableSSL=true&s3ForcePathStyle=true"
    variables["PULUMI_BACKEND_URL"] = f"s3://{name}?region={variables['AWS_REGION']}&{place}"
    return Trivial(tmp_path, sdks(), variables=variables)


def client(variables: Mapping[str, str]) -> Any:
    """Of the sandbox's S3."""
    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_lock_in_a_bucket_goes_with_the_engine_that_held_it(trivial: Trivial) -> None:
    trivial.engine().up()
    failures: list[FreeholdError] = []

    def up() -> None:
        try:
            trivial.engine(COUNT="4", SLOW="60").up()
        except FreeholdError as error:
            failures.append(error)

    thread = threading.Thread(target=up)
    thread.start()
    until(lambda: trivial.begun("shelf-3"))
    (engine,) = (one for one in psutil.Process().children() if one.name() == "pulumi")
    engine.kill()
    thread.join()
    assert isinstance(failures[0], TransientError)
    assert trivial.engine(COUNT="4").up().progress.changes == {"create": 1, "same": 5}


def test_a_preview_that_is_killed_leaves_the_lock_of_another(trivial: Trivial) -> None:
    trivial.engine().up()
    bucket, store = urlsplit(trivial.variables["PULUMI_BACKEND_URL"]).netloc, client(trivial.variables)
    locks = ".pulumi/locks/organization/trivial/dev/"
    store.put_object(Bucket=bucket, Key=f"{locks}another.json", Body=b"{}")

    def kill(progress: Progress) -> None:
        if progress.begun:
            for one in psutil.Process().children():
                if one.name() == "pulumi":
                    one.kill()

    with pytest.raises(TransientError, match=r"^stack dev: pulumi preview was ended by SIGKILL; "):
        trivial.engine(observe=kill, LINGER="60").preview()
    left = store.list_objects_v2(Bucket=bucket, Prefix=locks).get("Contents", [])
    assert [one["Key"] for one in left] == [f"{locks}another.json"]


def keys(trivial: Trivial, prefix: str = "") -> set[str]:
    """What is in the bucket."""
    bucket = urlsplit(trivial.variables["PULUMI_BACKEND_URL"]).netloc
    found = client(trivial.variables).list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {one["Key"] for one in found}


def test_a_first_preview_leaves_no_stack_however_it_ends(trivial: Trivial) -> None:
    interrupts = Interrupts()

    def stop(progress: Progress) -> None:
        if STATE in keys(trivial):
            interrupts.count = 1

    def kill(progress: Progress) -> None:
        for one in psutil.Process().children():
            if one.name() == "pulumi" and STATE in keys(trivial):
                one.kill()

    assert trivial.engine().preview().progress.changes == {"create": 5}
    with pytest.raises(FreeholdError, match=r"^stack dev: invalid literal"):
        trivial.engine(COUNT="many").preview()
    with pytest.raises(Interrupted):
        trivial.engine(interrupts=interrupts, observe=stop, LINGER="60").preview()
    with pytest.raises(TransientError, match=r"^stack dev: pulumi preview was ended by SIGKILL; "):
        trivial.engine(observe=kill, LINGER="60").preview()
    assert not (trivial.folder / "work/Pulumi.dev.yaml").exists()
    # The engine's own mark of the backend, and its copy of the stack that was empty.
    assert keys(trivial) == {".pulumi/meta.yaml", f"{STATE}.bak"}
    assert trivial.told == []
    assert trivial.engine().up().progress.changes == {"create": 5}


def test_a_first_preview_leaves_the_stack_to_another_machine_that_has_taken_it(trivial: Trivial) -> None:
    """Whose `up` holds the engine's lock by the time of the preview's end, or has made something already."""
    bucket, store = urlsplit(trivial.variables["PULUMI_BACKEND_URL"]).netloc, client(trivial.variables)
    lock = ".pulumi/locks/organization/trivial/dev/another.json"

    def take(progress: Progress) -> None:
        if progress.begun:
            held = {"pid": 1, "username": "another", "hostname": "elsewhere", "timestamp": "2026-11-22T00:00:00Z"}
            store.put_object(Bucket=bucket, Key=lock, Body=json.dumps(held).encode())

    trivial.engine(observe=take).preview()
    (told,) = trivial.told
    assert told.startswith("stack dev: the empty one that was made for the preview stays: stack dev: ")
    assert "locked" in told
    assert keys(trivial) >= {STATE, lock}
    assert "encryptionsalt" in (trivial.folder / "work/Pulumi.dev.yaml").read_text()
    store.delete_object(Bucket=bucket, Key=lock)
    assert trivial.engine().up().progress.changes == {"create": 5}


def test_a_bucket_that_does_not_answer_may_pass(trivial: Trivial) -> None:
    engine = trivial.engine()
    engine.up()
    here = engine.stack.environment
    gone = here["PULUMI_BACKEND_URL"].replace(urlsplit(here["AWS_ENDPOINT_URL"]).netloc, "127.0.0.1:1")
    with pytest.raises(TransientError, match=r"^stack dev: pulumi stack export failed: "):
        read_state("trivial", "dev", {**here, "PULUMI_BACKEND_URL": gone}, engine.stack.workdir)
