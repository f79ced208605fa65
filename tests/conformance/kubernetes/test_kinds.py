"""Every kind through its whole life at the provider interface, seen by kubectl."""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

import pytest

from catalog.plans import amount
from sandbox.providers.differences import parse
from sandbox.providers.interface import DiffKind, ProviderError
from sandbox.providers.kubernetes.provider import KubernetesProvider
from tests.conformance.kubernetes.conftest import Api, new_namespace, resource
from tests.conformance.kubernetes.kinds import EXAMPLES, Example, inputs

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def provider(api: Api) -> KubernetesProvider:
    return api.provider()


@pytest.fixture(scope="module")
def shared(api: Api) -> str:
    """A namespace for all kinds, one after the other: each test deletes what it made."""
    return new_namespace(api)


def checked(provider: KubernetesProvider, example: Example, wanted: dict[str, Any]) -> dict[str, Any]:
    found = provider.check(resource(example.type), wanted, None, b"seed")
    assert not found.failures
    return dict(found.inputs)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.kind)
def test_whole_life(api: Api, provider: KubernetesProvider, shared: str, example: Example) -> None:
    subject, namespace = resource(example.type), shared
    name = f"example-{uuid.uuid4().hex[:8]}"
    asked = checked(provider, example, inputs(example, None, name, namespace))

    preview = provider.create(subject, asked, preview=True, timeout=0)
    assert preview.id == ""
    assert api.get(example.kind, name, namespace) is None, "a preview made something"

    made = provider.create(subject, asked, preview=False, timeout=60)
    assert made.id == (name if example.cluster_scoped else f"{namespace}/{name}")
    live = api.get(example.kind, name, namespace)
    assert live["metadata"]["uid"] == made.outputs["metadata"]["uid"]  # type: ignore[index,call-overload]
    assert _missing(_as_kept(inputs(example, None, name, namespace)), live) == []

    with pytest.raises(ProviderError, match="exists already"):
        provider.create(subject, asked, preview=False, timeout=60)
    assert api.get(example.kind, name, namespace)["metadata"]["resourceVersion"], "the refused create took it away"

    assert not provider.diff(subject, made.id, asked, made.outputs, asked).changes
    found = provider.read(subject, made.id, asked, made.outputs)
    assert found is not None
    assert not provider.diff(subject, made.id, found.inputs, found.outputs, asked).changes, "a read invented a drift"

    outputs = found.outputs
    if example.change is not None:
        wanted = checked(provider, example, inputs(example, example.change, name, namespace))
        seen = provider.diff(subject, made.id, asked, outputs, wanted)
        assert example.changed in seen.changes
        assert not any(kind.replaces for kind in seen.changes.values())
        outputs = provider.update(subject, made.id, asked, outputs, wanted, preview=False, timeout=60)
        live = api.get(example.kind, name, namespace)
        assert live["metadata"]["uid"] == outputs["metadata"]["uid"]  # type: ignore[index,call-overload]
        _assert_holds(live, parse(example.changed), wanted)
        asked = wanted

    if example.replacing is not None:
        wanted = checked(provider, example, inputs(example, example.replacing, name, namespace))
        seen = provider.diff(subject, made.id, asked, outputs, wanted)
        assert any(kind.replaces for kind in seen.changes.values()), seen
        assert seen.delete_before_replace, "the name is the program's: only one of the two can exist"

    adopted = provider.read(subject, made.id, {}, {})
    assert adopted is not None
    assert adopted.inputs["metadata"]["name"] == name  # type: ignore[index,call-overload]
    assert "status" not in adopted.inputs

    provider.delete(subject, made.id, asked, outputs, timeout=60)
    # An example that skips waiting is only asked to go: its finalizers are the controllers' affair.
    assert _gone(api, example, name, namespace, seconds=60 if "skipAwait" in str(example.inputs) else 0)
    provider.delete(subject, made.id, asked, outputs, timeout=60)
    assert provider.read(subject, made.id, asked, outputs) is None


def _as_kept(asked: dict[str, Any]) -> dict[str, Any]:
    """A Secret's texts are written as stringData and read as data."""
    texts = asked.get("stringData")
    if texts is None:
        return asked
    rest = {key: value for key, value in asked.items() if key != "stringData"}
    return {**rest, "data": {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}}


def _missing(asked: Any, live: Any, path: str = "") -> list[str]:
    """What of `asked` the live object has not; it may have more, and write a quantity otherwise."""
    if isinstance(asked, dict) and isinstance(live, dict):
        return [line for key in asked for line in _missing(asked[key], live.get(key), f"{path}.{key}")]
    if isinstance(asked, list) and isinstance(live, list) and len(asked) == len(live):
        pairs = enumerate(zip(asked, live, strict=True))
        return [line for number, (one, other) in pairs for line in _missing(one, other, f"{path}[{number}]")]
    return [] if asked == live or _same_quantity(asked, live) else [f"{path}: {asked!r} is {live!r}"]


def _same_quantity(one: Any, other: Any) -> bool:
    try:
        return amount(one) == amount(other)
    except (TypeError, ValueError):
        return False


def _gone(api: Api, example: Example, name: str, namespace: str, seconds: float) -> bool:
    """Whether the object is gone now, or within `seconds`."""
    until = time.monotonic() + seconds
    while api.get(example.kind, name, namespace) is not None:
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)
    return True


def _assert_holds(live: Any, path: tuple[str | int, ...], wanted: Any) -> None:
    """The live object has what was asked for at this path, also where it was taken away."""
    for step in path[:-1]:
        live, wanted = live[step], wanted[step]
    last = path[-1]
    asked = wanted[last] if isinstance(wanted, dict) or len(wanted) > int(last) else None
    if asked is None:
        assert not live if isinstance(live, list) or live is None else last not in live
    elif isinstance(asked, dict):
        assert asked.items() <= live[last].items()
    else:
        assert live[last] == asked


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.kind)
def test_a_new_name_replaces(provider: KubernetesProvider, example: Example) -> None:
    old = checked(provider, example, inputs(example, None, "one", "somewhere"))
    new = checked(provider, example, inputs(example, None, "two", "somewhere"))
    seen = provider.diff(resource(example.type), "somewhere/one", old, old, new)
    assert seen.changes["metadata.name"] is DiffKind.UPDATE_REPLACE
    assert not seen.delete_before_replace, "under another name both can exist"
