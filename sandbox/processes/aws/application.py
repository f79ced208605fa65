"""The WSGI application: one request at a time, journaled where it changes something, replayed at start."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from werkzeug.wsgi import get_input_stream

from sandbox.processes.aws import decisions, polling, presigned
from sandbox.processes.aws.determinism import deterministic
from sandbox.processes.aws.journal import Entry, Journal, Outcome
from sandbox.processes.aws.mutations import changes_something

StartResponse = Callable[[str, list[tuple[str, str]]], object]
WsgiApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

Answer = tuple[str, list[tuple[str, str]], bytes]

_log = logging.getLogger(__name__)

_REMEMBERED = 512
"""How many of the last answers are kept for clients that ask again; more than are ever under way at once."""


class JournaledApplication:
    """Wraps moto. Requests follow each other: moto keeps its state in plain dictionaries, and order decides ids."""

    def __init__(
        self,
        moto: WsgiApplication,
        journal: Journal,
        files: Mapping[str, bytes] | None = None,
        end: Callable[[Collection[decisions.Server]], None] = lambda servers: None,
    ) -> None:
        """`files` are given to whoever asks, by path. `end` ends servers whose record was deleted."""
        self._files = files or {}
        self._end = end
        self._moto = moto
        self._journal = journal
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._replayed = 0
        self._diverged: list[int] = []

    def replay(self) -> int:
        """Carry out again all that the journal holds; returns how many requests that were."""
        for entry, expected in self._journal.entries():
            status, headers, content = self._carry_out(entry)
            self._remember(entry.environ, (status, headers, content))
            outcome = _outcome(status, content)
            if expected is None:
                self._journal.finish(entry, outcome)
            elif outcome != expected:
                self._diverged.append(entry.number)
                _log.warning(
                    "request %d (%s %s) was answered %d and is answered %d now",
                    entry.number,
                    entry.environ["REQUEST_METHOD"],
                    entry.environ.get("PATH_INFO"),
                    expected.status,
                    outcome.status,
                )
            self._replayed += 1
        return self._replayed

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = get_input_stream(environ).read()
        status, headers, content = self._handle(_plain(environ), body)
        start_response(status, headers)
        return [content]

    def call(self, environ: Mapping[str, Any], body: bytes) -> tuple[str, bytes]:
        """A request from within the process; returns status line and body."""
        status, _, content = self._handle(environ, body)
        return status, content

    def _handle(self, environ: Mapping[str, Any], body: bytes) -> Answer:
        path = environ.get("PATH_INFO", "")
        if path == "/freehold/health":
            report = {"replayed": self._replayed, "diverged": self._diverged}
            return "200 OK", [("Content-Type", "application/json")], json.dumps(report).encode()
        if (content := self._files.get(path)) is not None:
            return "200 OK", [("Content-Type", "application/octet-stream")], content
        if poll := polling.read(environ, body):
            body = poll.body
            while not (there := self._has_message(poll)) and time.monotonic() < poll.until:
                time.sleep(polling.INTERVAL_SECONDS)
            if not there:
                return polling.EMPTY
        with self._lock:
            if refusal := presigned.refuse(environ):
                return refusal
            if not changes_something(environ, body):
                return self._dispatch(environ, body)
            if known := self._answers.get(_invocation(environ)):
                return known
            try:
                entry = self._journal.begin(environ, body)
            except OSError as error:
                _log.error("cannot write %s: %s", self._journal.path, error.strerror)
                message = f"cannot write {self._journal.path}: {error.strerror}"
                return "507 Insufficient Storage", [("Content-Type", "text/plain")], message.encode()
            status, headers, content = self._carry_out(entry)
            self._journal.finish(entry, _outcome(status, content))
            self._remember(environ, (status, headers, content))
            ended = decisions.without_record()
        self._end(ended)  # others go on meanwhile
        return status, headers, content

    def _has_message(self, poll: polling.Poll) -> bool:
        with self._lock:
            return poll.has_message()

    def _remember(self, environ: Mapping[str, Any], answer: Answer) -> None:
        """For the same call sent again: its client may not have got the answer. A failure of ours it may try again."""
        if (invocation := _invocation(environ)) and int(answer[0].split()[0]) < 500:
            self._answers[invocation] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def _carry_out(self, entry: Entry) -> Answer:
        with deterministic(entry.seed, entry.moment):
            return self._dispatch(entry.environ, entry.body)

    def _dispatch(self, environ: Mapping[str, Any], body: bytes) -> Answer:
        application: WsgiApplication = decisions.answer if decisions.is_ours(environ) else self._moto
        started: list[tuple[str, list[tuple[str, str]]]] = []
        try:
            chunks = application(
                _complete(presigned.with_caller(environ), body),
                lambda status, headers, *_: started.append((status, headers)),
            )
            content = b"".join(chunks)
            if hasattr(chunks, "close"):
                chunks.close()
        except Exception as error:
            # moto raises where it lacks an operation or meets a bug; a client must hear of it as an answer.
            _log.exception("%s %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO"))
            message = json.dumps({"__type": "InternalFailure", "message": f"moto: {type(error).__name__}: {error}"})
            return "501 Not Implemented", [("Content-Type", "application/json")], message.encode()
        return started[0][0], started[0][1], content


def _invocation(environ: Mapping[str, Any]) -> str:
    """What the SDKs mark all attempts of one call with; empty where a client does not.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """
    return str(environ.get("HTTP_AMZ_SDK_INVOCATION_ID", ""))


def _outcome(status: str, content: bytes) -> Outcome:
    return Outcome(int(status.split()[0]), hashlib.sha256(content).hexdigest())


def _plain(environ: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the environment that is the request: what JSON can hold, without the server's own objects."""
    servers = ("wsgi.", "werkzeug.", "HTTP_TRANSFER_ENCODING")
    return {
        key: value for key, value in environ.items() if isinstance(value, str | dict) and not key.startswith(servers)
    }


def _complete(environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """A whole WSGI environment again (PEP 3333)."""
    return {
        **environ,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
