"""An environment of their own for programs that are compared with ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.contract import ROOT

FOLDER = ROOT / ".venv-peers"
LOCK = ROOT / "requirements-peers.lock"


class PeersMissing(Exception):
    """The peers can't be installed here; the message says why."""


def peer_python() -> Path:
    """The interpreter that has the packages of requirements-peers.lock.

    Raises
    ------
    PeersMissing : where they can't be installed
    """
    python, stamp = FOLDER / "bin" / "python", FOLDER / "lock"
    wanted = LOCK.read_text(encoding="utf-8")
    if not python.exists() or not stamp.exists() or stamp.read_text() != wanted:
        _say([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        install = [str(python), "-m", "pip", "install", "-q", "--no-input"]
        _say([*install, "--no-deps", "--require-hashes", "-r", str(LOCK)])
        stamp.write_text(wanted)
    return python


def _say(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        message = said[-1] if said else f"exit code {done.returncode}"
        raise PeersMissing(message)
