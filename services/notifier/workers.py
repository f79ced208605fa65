"""How a worker of the notifier goes on after what fails: nothing begins it again, so it is never to end."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from services import logs
from services.notifier.envelope import CertificateUnavailable
from services.notifier.queues import QueueUnavailable


def went_well(work: Callable[[], object], log: logs.Logger, event: str) -> bool:
    """Whether `work` ended well. What may pass is told as `event`, and what nobody thought of as a defect."""
    try:
        work()
    except (QueueUnavailable, CertificateUnavailable, sa.exc.SQLAlchemyError) as error:
        log.warning(event, error=str(error).splitlines()[0])
        return False
    except Exception as error:
        log.error("defect", error=type(error).__name__, origin=logs.origin(error))
        return False
    return True
