"""What the kernel was told of a database connection: how long the other side may be silent."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import sqlalchemy as sa

_OPTIONS = {
    "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
    "keepalives_idle": socket.TCP_KEEPIDLE,
    "keepalives_interval": socket.TCP_KEEPINTVL,
    "keepalives_count": socket.TCP_KEEPCNT,
}


def tcp_limits(engine: sa.Engine) -> Mapping[str, int]:
    """Of a connection of `engine`, by the names that libpq gives them."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as own:
            assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            return {name: own.getsockopt(socket.IPPROTO_TCP, option) for name, option in _OPTIONS.items()}
