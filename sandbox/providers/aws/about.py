"""Errors that say which resource they are about, and name properties where botocore named parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from errors import FreeholdError
from sandbox.providers.aws.api import WrongParameter
from sandbox.providers.aws.context import Context
from sandbox.providers.interface import PartialFailure, ProviderError, Resource


@contextmanager
def about(resource: Resource, context: Context) -> Iterator[None]:
    """Whatever fails inside is told as `<type> <name>: <reason>` on one line."""
    where = f"{resource.type} {resource.name}"
    try:
        yield
    except PartialFailure as error:
        reasons = [f"{where}: {reason}" for reason in error.reasons]
        raise PartialFailure(error.id, error.inputs, error.outputs, reasons) from error
    except WrongParameter as error:
        raise ProviderError(f"{where}: {_by_property(context, str(error))}") from error
    except (ProviderError, FreeholdError) as error:
        raise ProviderError(f"{where}: {error}") from error


def _by_property(context: Context, report: str) -> str:
    entry = context.entry
    for call in (entry.create, *entry.modifies):
        for name, parameter in call.fields.items():
            report = report.replace(f"parameter {parameter},", f"property {name},")
            report = report.replace(f'"{parameter.rsplit(".", 1)[-1]}"', f'"{name}"')
    return report
