"""How long a connection to the control database may hear nothing from the other side before it is taken for dead.

A server that fails over, or a path that swallows packets, answers nothing at all: without these limits a statement
waits for a quarter of an hour of retransmissions, and a lease (30 s) runs out meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TCP_LIMITS: Final[Mapping[str, int]] = {
    # What was sent and not acknowledged: in milliseconds. A lease outlives one such wait, and a new connection.
    "tcp_user_timeout": 10_000,
    # What was sent was acknowledged, and the answer stays away: probed after 5 s, given up 6 s later.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""Parameters of libpq, for `connect_args`. A server that lives acknowledges probes however long its statement takes:
none is cut short by them. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
