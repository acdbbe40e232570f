"""`rapport demo` leaves the demo that another process shows alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.demo.installation import write_config
from app.demo.show import show_demo
from app.single import AlreadyServed, only_server
from core.errors import SettingsError


@pytest.mark.parametrize("fresh", [True, False])
def test_a_second_demo_of_a_folder_touches_nothing(tmp_path: Path, fresh: bool) -> None:
    config = write_config(tmp_path, 8080, 2525)
    before = config.read_text()
    with only_server(tmp_path / "rapport.db"), pytest.raises(AlreadyServed):
        show_demo(0, tmp_path, fresh=fresh)
    assert config.read_text() == before


def test_a_taken_port_is_told_before_the_shop_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"served at 127.0.0.1:{port}"):
            show_demo(port, tmp_path, fresh=False)
    assert not (tmp_path / "rapport.db").exists()
