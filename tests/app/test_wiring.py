"""The parts put together: paths, keys, and the shipped campaigns."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.wiring import (
    KEY_PURPOSES,
    anchored,
    make_composer,
    make_mail_channel,
    make_sender,
    open_program,
)
from core.clock import SystemClock
from core.errors import RapportError
from core.model import Channel
from core.settings import Settings, Storage
from storage import installation, versions
from storage.versions import ContentKind


def settings_in(folder: Path) -> Settings:
    return anchored(Settings(), folder)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/rapport.db", "sqlite:////shop/data/rapport.db"),
        ("sqlite:////elsewhere/rapport.db", "sqlite:////elsewhere/rapport.db"),
        ("postgresql://host/rapport", "postgresql://host/rapport"),
    ],
)
def test_relative_paths_begin_at_the_settings_file(url: str, expected: str) -> None:
    settings = Settings(storage=Storage(url=url))

    found = anchored(settings, Path("/shop")).storage

    assert found.url == expected
    assert found.data_directory == Path("/shop/data")


def test_an_absolute_data_directory_stays_where_it_is() -> None:
    settings = Settings(storage=Storage(data_directory=Path("/var/rapport")))

    assert anchored(settings, Path("/shop")).storage.data_directory == Path(
        "/var/rapport"
    )


def test_a_new_installation_has_keys_and_campaigns(tmp_path: Path) -> None:
    with open_program(settings_in(tmp_path), SystemClock()) as program:
        keys = program.database.read_now(
            lambda c: [installation.key(c, each) for each in KEY_PURPOSES]
        )
        shipped = program.database.read_now(
            lambda c: versions.keys(c, ContentKind.CAMPAIGN)
        )

    assert len(set(keys)) == len(KEY_PURPOSES)
    assert shipped == ["new-product", "thank-you", "win-back"]
    assert program.journal_directory == tmp_path / "data" / "journals"


def test_a_second_start_keeps_what_the_first_made(tmp_path: Path) -> None:
    kept = []
    for _ in range(2):
        with open_program(settings_in(tmp_path), SystemClock()) as program:
            kept.append(program.database.read_now(all_of_it))

    assert kept[0] == kept[1]


def all_of_it(connection: object) -> tuple[bytes, int]:
    key = installation.key(connection, "links")  # type: ignore[arg-type]
    return key, versions.counts(connection, ContentKind.CAMPAIGN)  # type: ignore[arg-type]


def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with open_program(settings, SystemClock()) as program:
        file = program.database.file
    assert file is not None
    file.write_bytes(b"x" * 8192)

    with (
        pytest.raises(RapportError, match="rapport restore"),
        open_program(settings, SystemClock()),
    ):
        pass


@pytest.mark.anyio
async def test_a_sender_is_made_of_the_settings(tmp_path: Path) -> None:
    with open_program(settings_in(tmp_path), SystemClock()) as program:
        channel = make_mail_channel(program)
        sender = make_sender(
            program, make_composer(program.settings), {Channel.EMAIL: channel}
        )

        await sender.run_until_done()
        await channel.close()

        assert list(program.journal_directory.iterdir()) == []
