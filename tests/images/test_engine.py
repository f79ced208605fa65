"""What the runner's image gets beside its sources: the engine of the toolchain, and the plugins of the SDKs."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.toolchain.find import find, version
from tests.images import containerfile
from tests.images.containerfile import lay_out, stages
from tests.images.laid_out import Image

pytestmark = pytest.mark.sandbox


def _exported(checkout: Path, folder: Path) -> Path:
    """The command of the stage `tools`, with a Python that has no packages, in a folder that holds what it copies."""
    (run,) = stages()["tools"].values("RUN")
    _, *words = run.split()
    target = folder / "tools"
    home = lay_out("tools", checkout, folder / "root")
    command = [sys.executable, "-S", *(str(target) if word == "/tools" else word for word in words)]
    subprocess.run(command, cwd=home, env={**os.environ, "PYTHONPATH": ""}, check=True, capture_output=True)
    return target


def test_the_tools_are_those_that_all_is_rehearsed_with(checkout: Path, tmp_path: Path) -> None:
    tools = _exported(checkout, tmp_path)
    found = find("pulumi")
    assert found is not None
    told = subprocess.run([tools / "pulumi", "version"], capture_output=True, text=True, check=True).stdout
    assert told.strip() == f"v{version(found)}"
    for path in tools.iterdir():
        of_the_toolchain = find(path.name)
        assert of_the_toolchain is not None
        assert path.read_bytes() == of_the_toolchain.path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o755


def test_an_unknown_tool_is_asked_wrongly(checkout: Path, tmp_path: Path) -> None:
    home = lay_out("tools", checkout, tmp_path / "root")
    command = [sys.executable, "-m", "sandbox.toolchain.export", str(tmp_path / "out"), "pulumy"]
    run = subprocess.run(command, cwd=home, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.startswith("toolchain: no tool is called 'pulumy'; one of: ")
    assert not (tmp_path / "out").exists()


class _Downloads(BaseHTTPRequestHandler):
    """In place of where plugins are published: any is there."""

    asked: list[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo(name.partition("-v")[0]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content.getvalue())))
        self.end_headers()
        self.wfile.write(content.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def downloads() -> Iterator[tuple[str, list[str]]]:
    """The address of one, and what was asked of it."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Downloads", (_Downloads,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_plugins_are_of_the_versions_of_the_sdks(
    checkout: Path, tmp_path: Path, image: Callable[[str], Image], downloads: tuple[str, list[str]]
) -> None:
    """The command of the stage `plugins`, where no program is: the packages tell which plugins they want."""
    address, asked = downloads
    (run,) = stages()["plugins"].values("RUN")
    assert "python -m ensurepip && PULUMI_HOME=/opt/pulumi pulumi --non-interactive plugin install" in " ".join(
        run.split()
    )
    home = lay_out("plugins", checkout, tmp_path / "root")
    # The image's own environment, with the pip that this stage adds to it.
    shutil.copytree(image("runner").home / ".venv", home / ".venv", symlinks=True)
    python = home / ".venv" / "bin" / "python"
    subprocess.run([python, "-m", "ensurepip"], check=True, capture_output=True)
    pulumi_home = tmp_path / "pulumi"
    subprocess.run(
        ["pulumi", "--non-interactive", "plugin", "install"],
        cwd=home,
        env={
            "PATH": os.pathsep.join(map(str, (python.parent, _exported(checkout, tmp_path), os.defpath))),
            "HOME": str(tmp_path),
            "PULUMI_HOME": str(pulumi_home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": f".*={address}",
        },
        check=True,
        capture_output=True,
    )
    wanted = {
        f"resource-{name}-v{importlib.metadata.version(f'pulumi-{name}')}"
        for name in ("aws", "kubernetes", "postgresql", "random")
    }
    assert {path.name for path in (pulumi_home / "plugins").iterdir() if path.is_dir()} == wanted
    assert {re.sub(r"^pulumi-|-linux-.*$", "", name) for name in asked} == wanted


def test_a_pod_never_fetches_a_plugin() -> None:
    runner = stages()["runner"]
    variables = runner.pairs("ENV")
    assert variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    home = variables["PULUMI_HOME"]
    assert f"PULUMI_HOME={home} " in stages()["plugins"].values("RUN")[0]
    assert containerfile.Copy("plugins", [f"{home}/plugins"], f"{home}/plugins") in list(runner.copies())
