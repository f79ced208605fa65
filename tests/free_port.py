"""A port for a server that a test starts."""

from __future__ import annotations

import secrets

from sandbox.supervisor import ports


def free_port() -> int:
    """Outside of the kernel's ephemeral range, as the sandbox's are: a server that is killed and started again must
    find it free still, whatever other tests connect and listen to meanwhile."""
    return ports.free_port(secrets.token_hex(8))
