"""The engine's side of a stand-in: asks the warm host for a port, prints it, and stays until the engine ends it.

Runs with the standard library alone (`python -I -S`), so that it starts in milliseconds. It is run by path
and must not import anything of this package.
"""

import json
import os
import signal
import socket
import sys

PASSED_ON = ("AWS_", "KUBE", "PG", "PULUMI_K8S_")
PASSED_ON_ALSO = ("HOME", "PATH", "FREEHOLD_HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")


def main(arguments: list[str]) -> int:
    """`arguments`: provider, version, the host's socket, then whatever the engine adds (its own address)."""
    provider, version, address = arguments[:3]
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(PASSED_ON) or name in PASSED_ON_ALSO
    }
    request = {"provider": provider, "version": version, "environment": environment, "directory": os.getcwd()}
    # The engine ends its plugins by SIGINT to their process group.
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as host:
        try:
            host.connect(address)
        except OSError as error:
            return fail(f"the sandbox's providers are not running at {address} ({error.strerror})")
        with host.makefile("rwb") as lines:
            lines.write(json.dumps(request).encode() + b"\n")
            lines.flush()
            line = lines.readline()
            if not line:
                return fail("the sandbox's providers closed the connection; see providers.log of the sandbox")
            answer = json.loads(line)
            if "port" not in answer:
                return fail(str(answer.get("error", "the sandbox's providers gave no port")))
            print(answer["port"], flush=True)
            # The host reads the end of this connection as the end of the engine; the engine reads our end as a crash.
            while lines.readline():
                pass
    return fail("the sandbox's providers have stopped")


def fail(reason: str) -> int:
    """One line for whoever runs the engine."""
    print(f"freehold: {reason}; ./freehold sandbox start", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
