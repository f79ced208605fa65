"""Provider failures as gRPC errors that the engine understands.

A code other than INTERNAL, UNKNOWN and DATA_LOSS tells the engine that nothing is in doubt
(Pulumi: resourceStateAndError in sdk/go/common/resource/plugin/provider_plugin.go).
"""

from __future__ import annotations

import logging
from typing import NamedTuple, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from sandbox.providers.interface import PartialFailure, ProviderError
from sandbox.providers.values import Marks, encode

log = logging.getLogger(__name__)


class _RichStatus(NamedTuple):
    """What grpc's `abort_with_status` takes: a code, a line, and the details as trailing metadata."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def one_line(text: str) -> str:
    """`text` with its line breaks and runs of spaces made single spaces."""
    return " ".join(text.split())


def abort(context: grpc.ServicerContext, what: str, error: Exception) -> NoReturn:
    """End the call with a failure that a person can read; what nobody foresaw goes to the host's log with its trace."""
    if isinstance(error, ProviderError):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, one_line(str(error)) or "refused, with no reason given")
    context.abort(grpc.StatusCode.INTERNAL, unforeseen(what, error))
    raise AssertionError("abort returned")


def unforeseen(what: str, error: Exception) -> str:
    """What a person reads of a failure that nobody foresaw; its trace goes to the host's log."""
    log.error("%s failed unexpectedly", what, exc_info=error)
    return one_line(f"unexpected failure in the sandbox's provider, see its log: {type(error).__name__}: {error}")


def abort_partial(
    context: grpc.ServicerContext, failure: PartialFailure, marks: tuple[Marks, ...], secret: frozenset[str]
) -> NoReturn:
    """End the call with "it exists but is not as asked": the engine then keeps it in the state."""
    reasons = [one_line(reason) for reason in failure.reasons]
    detail = provider_pb2.ErrorResourceInitFailed(
        id=failure.id,
        properties=encode(failure.outputs, *marks, secret=secret),
        inputs=encode(failure.inputs, *marks, secret=secret),
        reasons=reasons,
    )
    packed = Packed()
    packed.Pack(detail)
    code = grpc.StatusCode.UNKNOWN
    message = "; ".join(reasons)
    status = Status(code=code.value[0], message=message, details=[packed])
    context.abort_with_status(_RichStatus(code, message, (("grpc-status-details-bin", status.SerializeToString()),)))
    raise AssertionError("abort returned")
