"""One resource in the middle of a call: its properties, its place in AWS, and the filling in of templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.home import Home
from sandbox.providers.aws.api import Api, ApiError
from sandbox.providers.aws.table import AwsType
from sandbox.providers.interface import Messenger, ProviderError, Resource
from sandbox.providers.recorded import RecordedStore
from sandbox.providers.sdk_types import SdkTypes
from sandbox.supervisor.client import Supervisor

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass
class Context:
    """`inputs` are what is wanted (in a read: what the state holds), `old` what was before, `outputs` the state's."""

    api: Api
    entry: AwsType
    sdk: SdkTypes
    resource: Resource
    home: Home
    tell: Messenger
    inputs: dict[str, Any]
    id: str = ""
    old: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    """The create operation's answer, or the first record that a read selected."""
    seconds: float = 0
    """The program's custom timeout, 0 where it sets none."""

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """An operation of the type's own service."""
        return self.api.call(self.entry.service, operation, **parameters)

    def delete(self, operation: str, **parameters: Any) -> None:
        """An operation that deletes the resource. Where it is gone already, a deletion before this one was cut short:
        the caller goes on with what is left beside it."""
        try:
            self.call(operation, **parameters)
        except ApiError as error:
            if error.code not in self.entry.missing:
                raise

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor.connect(self.home)

    @property
    def recorded(self) -> RecordedStore:
        return RecordedStore(self.home.recorded)

    def value(self, name: str) -> Any:
        """A property of the inputs, else of the outputs, else a part of the id; None where there is none."""
        match name:
            case "id":
                return self.id
            case "region":
                return self.api.region
            case "account":
                return self.api.account
            case "partition":
                return self.api.partition
        for place in (self.inputs, self.outputs):
            if place.get(name) is not None:
                return place[name]
        return self._id_parts().get(name)

    def _id_parts(self) -> dict[str, str]:
        for form in (self.entry.import_form, self.entry.id_form):
            if form and self.id:
                names = _PLACEHOLDER.findall(form)
                # Only the last part may itself hold the separator.
                pattern = re.escape(form)
                for name in names:
                    pattern = pattern.replace(re.escape(f"{{{name}}}"), "(.+)" if name == names[-1] else "(.+?)", 1)
                found = re.fullmatch(pattern, self.id)
                if found:
                    return dict(zip(names, found.groups(), strict=True))
        return {}

    def fill(self, template: Any) -> Any:
        """A template with its placeholders filled in. Raises ProviderError for a property that is not set."""
        if isinstance(template, Mapping):
            return {key: self.fill(item) for key, item in template.items()}
        if isinstance(template, list | tuple):
            return [self.fill(item) for item in template]
        if not isinstance(template, str):
            return template
        whole = _PLACEHOLDER.fullmatch(template)
        if whole:
            return self._needed(whole.group(1))
        return _PLACEHOLDER.sub(lambda found: str(self._needed(found.group(1))), template)

    def _needed(self, name: str) -> Any:
        value = self.value(name)
        if value is None:
            hint = f"; the import id has the form {self.entry.import_form or self.entry.id_form}" if self.id else ""
            raise ProviderError(f"`{name}` is not set{hint}")
        return value
