"""`python -m sandbox.processes.catcher`: the sinks of a rehearsal: a webhook, a Slack, a mail server, on the loopback.

It takes everything and keeps it; it stands for what a company has, and proves that an alert arrived there.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import email
import email.policy
import logging
import signal
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from sandbox.home import Home
from sandbox.processes.catcher.caught import Caught, Sink, keep

_BODY_LIMIT_BYTES = 1 << 20
_PATHS: dict[str, Sink] = {"/webhook": "webhook", "/slack": "slack"}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class _Handler(BaseHTTPRequestHandler):
    timeout = 30
    home: Home

    def do_GET(self) -> None:
        self._answer(HTTPStatus.OK if self.path == "/healthz" else HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        sink = _PATHS.get(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if sink is None or not 0 < length <= _BODY_LIMIT_BYTES:
            return self._answer(HTTPStatus.NOT_FOUND if sink is None else HTTPStatus.BAD_REQUEST)
        body = self.rfile.read(length).decode(errors="replace")
        keep(self.home, Caught(sink=sink, at=_now(), headers=dict(self.headers.items()), body=body))
        return self._answer(HTTPStatus.OK)

    def log_message(self, format: str, *args: object) -> None:
        """What arrived is kept; the rest is noise."""

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")


class _Mailbox:
    def __init__(self, home: Home) -> None:
        self._home = home

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body()
        text = str(body.get_content()) if body is not None else ""
        headers = {name: str(value) for name, value in message.items()}
        keep(self._home, Caught(sink="mail", at=_now(), headers=headers, body=text))
        return "250 OK"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    _Handler.home = Home(arguments.home)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(arguments.certificate, arguments.key)
    asyncio.run(_mail(Home(arguments.home), arguments.smtp_port, context))


async def _mail(home: Home, port: int, context: ssl.SSLContext) -> None:
    """Until SIGTERM. Mail is taken over TLS alone."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mailbox = _Mailbox(home)

    def session() -> SMTP:
        return SMTP(mailbox, hostname="sandbox", tls_context=context, require_starttls=True, loop=loop)

    server = await loop.create_server(session, "127.0.0.1", port)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    main()
