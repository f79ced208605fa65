"""What the engine starts as the plugin of a policy pack: asks the host for a fork that has imported the pack.

Runs without site-packages (`python -I -S`) and by its path, and imports what the interpreter has loaded or is built on
alone, so that it starts in milliseconds. The fork writes to this process' own output, where the engine reads its port,
and is ended with this process.
"""

import _signal  # type: ignore[import-not-found]  # typeshed has none
import _socket
import posix
import sys

COMMAND = "pulumi-analyzer-policy-python"


def main(arguments: list[str]) -> int:
    """`arguments`: the host's socket, then the engine's: its address, the pack's folder, its virtual environment."""
    address, *asked = arguments
    kept = [one for one in asked if not one.startswith("-virtualenv=")]
    host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        host.connect(address)
    except OSError:
        return instead(address, asked)
    outputs = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in (1, 2))
    code = b""
    try:
        host.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, outputs)])
        # As sandbox/plugin_line.py reads it.
        host.sendall(repr((kept, posix.getcwd(), posix.environ)).encode() + b"\n")
        code = host.recv(16).strip()
    except ConnectionError:
        pass
    if code:
        return int(code)
    print("freehold: the host of the policy pack ended, its log says why", file=sys.stderr)
    return 1


def instead(address: str, asked: list[str]) -> int:
    """The host is gone: what the engine would have started without it."""
    import os
    import shutil

    own = os.path.dirname(address)
    os.environ["PATH"] = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)
    found = shutil.which(COMMAND)
    if found is not None:
        os.execv(found, [COMMAND, *asked])
    print(f"freehold: {COMMAND} is not on PATH; ./freehold doctor", file=sys.stderr)
    return 1


if __name__ == "__main__":
    # The engine ends its plugins by SIGINT to their process group. Also where it was ignored when this was started, as
    # in a shell's background.
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, lambda *_: posix._exit(0))
    posix._exit(main(sys.argv[1:]))
