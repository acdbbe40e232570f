"""A campaign's folder as one value: read, named by its content, written back.

A version in the database holds exactly this dictionary of files, the mail layout
included, so that a run can be rendered from its version alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import CampaignError, Problem, did_you_mean

DEFINITION = "campaign.yaml"
SUBJECT = "subject.txt"
PREHEADER = "preheader.txt"
HTML = "body.html"
MJML = "body.mjml"
TEXT = "body.txt"
CHAT = "chat.txt"
PARTS = (SUBJECT, PREHEADER, HTML, MJML, TEXT, CHAT)
LAYOUT_FOLDER = "layout/"
LAYOUT = f"{LAYOUT_FOLDER}email.html"
KEY = r"[a-z0-9][a-z0-9-]{0,62}"

_LANGUAGE = r"[a-z]{2,3}(?:-[A-Za-z]{2,8})?"
_FILE = re.compile(
    rf"(?P<stem>[a-z]+)(?:\.(?P<language>{_LANGUAGE}))?\.(?P<end>[a-z]+)"
)


@dataclass(frozen=True)
class CampaignSource:
    """All texts of one campaign: file name → content."""

    key: str
    files: Mapping[str, str]

    @property
    def content_hash(self) -> str:
        """The same for the same texts, wherever and whenever they were read."""
        canonical = json.dumps(dict(sorted(self.files.items())), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have files of their own, beside the first."""
        found = {language_of(name) for name in self.files if "/" not in name}
        return tuple(sorted(language for language in found if language))

    def to_dict(self) -> dict[str, str]:
        """The files as plain data, for JSON."""
        return dict(self.files)

    def part(self, name: str, language: str | None) -> tuple[str, str] | None:
        """File name and content of a part, in a language or (None) the first one."""
        file = in_language(name, language) if language else name
        text = self.files.get(file)
        return None if text is None else (file, text)

    def path(self, file: str) -> str:
        """How messages name a file of this campaign."""
        return file if "/" in file else f"{self.key}/{file}"


def in_language(name: str, language: str) -> str:
    """`body.html` in zh is `body.zh.html`."""
    stem, _, end = name.rpartition(".")
    return f"{stem}.{language}.{end}"


def language_of(file: str) -> str | None:
    """`zh` for `body.zh.html`, None for `body.html`."""
    found = _FILE.fullmatch(Path(file).name)
    return found["language"] if found else None


def list_campaigns(root: Path) -> list[str]:
    """The keys of the campaigns under a templates folder."""
    found = (root / "campaigns").glob(f"*/{DEFINITION}")
    return sorted(path.parent.name for path in found)


def read_campaign(root: Path, key: str) -> CampaignSource:
    """The campaign `key` of a templates folder, with the layout of its mails.

    Raises
    ------
    CampaignError : there is no such campaign (with the nearest), or its folder holds a
        file that campaigns don't have.
    """
    known = list_campaigns(root)
    if key not in known:
        hint = did_you_mean(key, known) or f"There are: {', '.join(known) or 'none'}."
        raise CampaignError(Problem("unknown campaign", key, hint=hint))
    folder = root / "campaigns" / key
    files = {path.name: _read(path) for path in _texts(folder)}
    _refuse_unknown(folder, files)
    return CampaignSource(key, files | read_layout(root))


def read_layout(root: Path) -> dict[str, str]:
    """The mail layouts of a templates folder, by their name in a version."""
    return {
        f"{LAYOUT_FOLDER}{path.name}": _read(path) for path in _texts(root / "layout")
    }


def write_campaign(root: Path, source: CampaignSource) -> Path:
    """The campaign's own files, written; what it no longer has is removed.

    The layout is shared by all campaigns and stays as it is.
    """
    if not re.fullmatch(KEY, source.key):
        raise CampaignError(Problem("not a campaign's key", source.key))
    folder = root / "campaigns" / source.key
    own = {
        name: text
        for name, text in source.files.items()
        if not name.startswith(LAYOUT_FOLDER)
    }
    _refuse_unknown(folder, own)
    folder.mkdir(parents=True, exist_ok=True)
    for path in _texts(folder):
        if path.name not in own:
            path.unlink()
    for name, text in own.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def _texts(folder: Path) -> list[Path]:
    # Editors leave files that begin with a dot or end with a tilde.
    return sorted(
        path
        for path in folder.glob("*")
        if path.is_file() and not path.name.startswith(".") and path.name[-1] != "~"
    )


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(
            Problem("the file can't be read as UTF-8 text", str(error), path)
        ) from error
    return text.replace("\r\n", "\n")


def _refuse_unknown(folder: Path, files: Mapping[str, str]) -> None:
    problems = [
        Problem(
            "campaigns have no file of this name",
            name,
            folder / name,
            hint=did_you_mean(_base(name), (DEFINITION, *PARTS))
            or f"Known: {', '.join((DEFINITION, *PARTS))}; {in_language(TEXT, 'zh')}.",
        )
        for name in files
        if name != DEFINITION and _base(name) not in PARTS
    ]
    if problems:
        raise CampaignError(*problems)


def _base(name: str) -> str:
    """`body.zh.html` → `body.html`."""
    found = _FILE.fullmatch(name)
    return f"{found['stem']}.{found['end']}" if found else name
