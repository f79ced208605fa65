"""A supervisor that runs on while the checkout is of another release."""

from __future__ import annotations

import pytest

from sandbox.supervisor import messages
from sandbox.supervisor.messages import SupervisorError
from tests.temporary_sandbox import Sandbox

pytestmark = pytest.mark.sandbox


def test_a_request_of_another_release_tells_how_to_go_on(sandbox: Sandbox) -> None:
    class Newer(messages.GetStatus):
        more: str

    with pytest.raises(SupervisorError, match="not permitted") as refused:
        sandbox.supervisor._call(Newer, more="than it knows")
    assert refused.value.mend == "it is of another release: ./freehold sandbox stop, then try again"
