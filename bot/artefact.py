"""A trained model on disk: plain arrays, and a manifest that vouches for them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DataError, Problem

# Raised when features or arrays change their meaning: older files are refused.
FORMAT = 1
ARRAYS = "arrays.npz"
MANIFEST = "manifest.json"
RETRAIN = "Train again: `rapport knowledge push`."

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which the bot answers, and from which it asks "did you mean"."""

    answer: float
    suggest: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is and how good it was in cross-validation."""

    articles: tuple[str, ...]  # the order of the model's columns
    languages: Mapping[str, tuple[str, ...]]  # article -> languages of its wordings
    embedder: str
    thresholds: Mapping[str, Thresholds]  # by blend: both, words, meaning
    sharpness: Mapping[str, Mapping[str, float]]  # by blend, by view
    metrics: Mapping[str, float]
    content_hash: str  # of the knowledge that it was trained on
    arrays_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


def save(directory: Path, manifest: Manifest, arrays: Mapping[str, Array]) -> str:
    """Write both files; returns the manifest's sha256, which vouches for everything.

    The manifest comes last: a directory without one is an interrupted training.
    """
    directory.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    content = buffer.getvalue()
    values = manifest.to_json()
    values["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True)
    _replace(directory / ARRAYS, content)
    _replace(directory / MANIFEST, text.encode())
    return hashlib.sha256(text.encode()).hexdigest()


def load(
    directory: Path, *, expected_sha256: str | None = None
) -> tuple[Manifest, dict[str, Array]]:
    """What `save` wrote.

    `expected_sha256` is what `save` returned, kept with the model run.

    Raises
    ------
    DataError : if a file is missing, changed since, or of another format
    """
    manifest_file = directory / MANIFEST
    text = _read(manifest_file)
    if expected_sha256 and hashlib.sha256(text).hexdigest() != expected_sha256:
        raise _refusal(manifest_file, "the manifest that training wrote is expected")
    manifest = _manifest(manifest_file, text)
    content = _read(directory / ARRAYS)
    if hashlib.sha256(content).hexdigest() != manifest.arrays_sha256:
        raise _refusal(directory / ARRAYS, "the arrays of the manifest are expected")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return manifest, {name: stored[name] for name in stored.files}
    except (ValueError, zipfile.BadZipFile) as error:
        expected = "plain arrays are expected"
        raise _refusal(directory / ARRAYS, expected, str(error)) from error


def _replace(file: Path, content: bytes) -> None:
    temporary = file.with_suffix(".new")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _refusal(file, "a trained model is expected", str(error)) from error


def _manifest(file: Path, text: bytes) -> Manifest:
    try:
        values = json.loads(text)
        found = values.pop("format", None)
        if found != FORMAT:
            raise _refusal(file, f"a model of format {FORMAT} is expected", str(found))
        values["articles"] = tuple(values["articles"])
        values["languages"] = {
            article: tuple(languages)
            for article, languages in values["languages"].items()
        }
        values["thresholds"] = {
            blend: Thresholds(**pair) for blend, pair in values["thresholds"].items()
        }
        return Manifest(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise _refusal(file, "a model's manifest is expected", str(e)) from e


def _refusal(file: Path, expected: str, value: str | None = None) -> DataError:
    return DataError(Problem(expected, value, file=file, hint=RETRAIN))
