"""The engine's side of a stand-in: asks the warm host for a port, prints it, and stays until the engine ends it.

An engine starts some of these for each run. So it runs without site-packages (`python -I -S`), is run by path, imports
nothing of this package, and of the standard library only what the interpreter has loaded or is built on: `json`,
`socket` and `signal` take longer to import than all the rest together.
"""

import _signal  # type: ignore[import-not-found]  # typeshed has none
import _socket
import posix
import sys

PASSED_ON = (b"AWS_", b"KUBE", b"PG", b"PULUMI_K8S_")
PASSED_ON_ALSO = (b"HOME", b"PATH", b"FREEHOLD_HOME", b"LANG", b"TMPDIR", b"SSL_CERT_FILE")
_PART = 4096


def main(arguments: list[str]) -> int:
    """`arguments`: provider, version, the host's socket, then whatever the engine adds (its own address)."""
    provider, version, address = arguments[:3]
    environment = {
        name: value for name, value in posix.environ.items() if name.startswith(PASSED_ON) or name in PASSED_ON_ALSO
    }
    # As sandbox/plugin_line.py reads it.
    request = repr((provider, version, posix.getcwd(), environment)).encode() + b"\n"
    host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        host.connect(address)
    except OSError as error:
        return fail(f"the sandbox's providers are not running at {address} ({error.strerror})")
    answer = b""
    try:
        host.sendall(request)
        while not answer.endswith(b"\n") and (part := host.recv(_PART)):
            answer += part
    except ConnectionError:
        pass  # it died
    word, _, said = answer.decode(errors="replace").strip().partition(" ")
    if not answer:
        return fail("the sandbox's providers closed the connection; see providers.log of the sandbox")
    if word != "port":
        other = "the sandbox's providers are of another release"
        return fail(said if word == "error" else other, "./freehold sandbox stop, then ./freehold sandbox start")
    posix.write(1, f"{said}\n".encode())
    # The host reads the end of this connection as the end of the engine; the engine reads our end as a crash.
    try:
        while host.recv(_PART):
            pass
    except ConnectionError:
        pass
    return fail("the sandbox's providers have stopped")


def fail(reason: str, mend: str = "./freehold sandbox start") -> int:
    """One line for whoever runs the engine."""
    print(f"freehold: {reason}; {mend}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    # The engine ends its plugins by SIGINT to their process group. Also where it was ignored when this was started, as
    # in a shell's background.
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, lambda *_: posix._exit(0))
    posix._exit(main(sys.argv[1:]))
