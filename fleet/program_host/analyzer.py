"""What the engine starts as the plugin of a policy pack: asks the host for a fork that has imported the pack.

Runs with the standard library alone (`python -I -S`) and by its path, so that it starts in milliseconds. The fork
writes to this process' own output, where the engine reads its port, and is ended with this process.
"""

import json
import os
import shutil
import socket
import sys

COMMAND = "pulumi-analyzer-policy-python"


def main(arguments: list[str]) -> int:
    """`arguments`: the host's socket, then the engine's: its address, the pack's folder, its virtual environment."""
    address, *asked = arguments
    request = {
        "arguments": [one for one in asked if not one.startswith("-virtualenv=")],
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as host:
        try:
            host.connect(address)
        except OSError:
            return instead(address, asked)
        socket.send_fds(host, [b"."], [1, 2])
        host.sendall(json.dumps(request).encode() + b"\n")
        with host.makefile("rb") as answers:
            code = answers.readline().strip()
    return int(code) if code else 1


def instead(address: str, asked: list[str]) -> int:
    """The host is gone: what the engine would have started without it."""
    own = os.path.dirname(address)
    os.environ["PATH"] = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)
    found = shutil.which(COMMAND)
    if found is not None:
        os.execv(found, [COMMAND, *asked])
    print(f"freehold: {COMMAND} is not on PATH; ./freehold doctor", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
