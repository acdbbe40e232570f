"""The files that a browser may fetch: ours, and a fixed list from npm."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from core.log import get_logger
from web.access import PUBLIC

OURS = Path(__file__).parent / "assets"
VENDOR = {
    "vendor/htmx.js": "htmx.org/dist/htmx.min.js",
    "vendor/uplot.js": "uplot/dist/uPlot.iife.min.js",
    "vendor/uplot.css": "uplot/dist/uPlot.min.css",
}
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=300"

log = get_logger("web")
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory, named by its content."""

    body: bytes
    media_type: str
    tag: str


class Assets:
    """All files, read once at start."""

    def __init__(self, vendor: Path) -> None:
        found = {file.name: file for file in OURS.iterdir() if file.suffix in TYPES}
        found |= {name: vendor / path for name, path in VENDOR.items()}
        absent = sorted(name for name, file in found.items() if not file.is_file())
        if absent:
            log.warning("vendor_files_absent", files=absent, hint="npm ci")
        self._files = {
            name: _read(file) for name, file in found.items() if name not in absent
        }

    def get(self, name: str) -> Asset | None:
        return self._files.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def url(self, name: str) -> str:
        """The address of a file; it changes with the content."""
        return f"/assets/{name}?v={self._files[name].tag}"


def _read(file: Path) -> Asset:
    body = file.read_bytes()
    return Asset(body, TYPES[file.suffix], hashlib.sha256(body).hexdigest()[:12])


@router.get("/assets/{name:path}", dependencies=[PUBLIC])
async def asset(request: Request, name: str, v: str = "") -> Response:
    found: Asset | None = request.app.state.assets.get(name)
    if found is None:
        raise HTTPException(404)
    if request.headers.get("if-none-match") == f'"{found.tag}"':
        return Response(status_code=304)
    headers = {
        "Cache-Control": FOREVER if v == found.tag else SHORTLY,
        "ETag": f'"{found.tag}"',
    }
    return Response(found.body, media_type=found.media_type, headers=headers)
