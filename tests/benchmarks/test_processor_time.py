"""What a process is taken for when its time is added up."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.processor_time import Profile, role


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pulumi --non-interactive up --stack tenant.sandbox.acme --policy-pack /checkout/policies", "engine"),
        ("/tools/bin/pulumi stack init x", "engine"),
        ("/checkout/.venv/bin/python -u -m pulumi.policy 127.0.0.1:1 .", "policy pack"),
        ("/bin/sh /tools/pulumi-analyzer-policy-python 127.0.0.1:1 .", "policy pack"),
        ("/checkout/.venv/bin/python -m pip list -v --format json", "pip list"),
        ("/tools/pulumi-language-python 127.0.0.1:1", "language host"),
        ("/checkout/.venv/bin/python -u /tools/pulumi-language-python-exec --monitor 127.0.0.1:1", "program"),
        ("python -m fleet.program_host --control 11 stacks.preload tenant aws", "program (imported once, forked)"),
        ("python -m fleet.runner --cell sandbox", "runner"),
        ("python -m sandbox.providers.host --home /home", "providers"),
        ("/tools/kube-apiserver --etcd-servers=https://127.0.0.1:1", "Kubernetes"),
        ("postgres: freehold control 127.0.0.1(1) idle", "Postgres"),
        ("vi", "other"),
    ],
)
def test_roles(line: str, expected: str) -> None:
    assert role(line) == expected


def test_what_descends_from_a_root_is_added_up() -> None:
    busy = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ninput()"
    with Profile([]) as profile:
        child = subprocess.Popen([sys.executable, "-c", busy, "fleet.runner"], stdin=subprocess.PIPE)
        profile.watch(os.getpid())
        try:
            deadline = time.monotonic() + 60
            while profile.seconds["runner"] < 0.4 and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            child.communicate(b"\n")
    assert profile.seconds["runner"] >= 0.4
    assert profile.busy >= 0.4


def test_what_descends_from_no_root_is_not_counted() -> None:
    with Profile([]) as profile:
        pass
    assert dict(profile.seconds) == {}
