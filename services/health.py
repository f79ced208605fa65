"""What every service answers about itself: /healthz, /readyz and /metrics.

/healthz says that the process lives: where it does not, only a new one helps. It asks nobody else, or a database that
is down would have every replica restarted. /readyz says whether it can do its work: a replica that cannot is given no
traffic. /metrics is for Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.logs import logger

_log = logger(__name__)


class NotReady(Exception):
    """Why the service cannot do its work now, in one line, without addresses or secrets: strangers may read it."""


ReadyCheck = Callable[[], None]
"""Returns when the service can work, raises NotReady when not. May block, with a time limit of its own."""


def routes(
    check: ReadyCheck, metrics: CollectorRegistry = REGISTRY, *, lives: ReadyCheck = lambda: None
) -> Sequence[Route]:
    """The three routes, for a Starlette application. `lives` raises NotReady where only a new process helps."""

    async def healthz(request: Request) -> Response:
        return await told(lives)

    async def readyz(request: Request) -> Response:
        return await told(check)

    async def told(by: ReadyCheck) -> Response:
        try:
            await run_in_threadpool(by)
        except NotReady as error:
            return PlainTextResponse(f"{error}\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def show_metrics(request: Request) -> Response:
        content = await run_in_threadpool(generate_latest, metrics)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]


def database_answers(engine: sa.Engine) -> ReadyCheck:
    """Ready while the database answers; `engine` has a connect timeout."""

    def check() -> None:
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError as error:
            _log.warning("database-does-not-answer", error=str(error).splitlines()[0])
            raise NotReady("the database does not answer") from None

    return check
