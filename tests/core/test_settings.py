from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from core.errors import Problem, SettingsError
from core.settings import (
    DEFAULT_FILE,
    SECRETS,
    Settings,
    load_settings,
    variable,
)


def written(directory: Path, text: str) -> Path:
    file = directory / "shop.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problem_of(directory: Path, text: str) -> Problem:
    """The one problem of a settings file."""
    with pytest.raises(SettingsError) as caught:
        load_settings(written(directory, text))
    (problem,) = caught.value.problems
    return problem


def names(settings: dict[str, Any]) -> set[tuple[str, str]]:
    return {(section, key) for section, keys in settings.items() for key in keys}


def test_the_shipped_file_holds_the_defaults() -> None:
    assert load_settings(DEFAULT_FILE) == Settings()


def test_the_shipped_file_shows_every_setting_but_the_secrets() -> None:
    shipped = YAML(typ="safe").load(DEFAULT_FILE.read_text(encoding="utf-8"))

    assert names(shipped) == names(Settings().model_dump()) - set(SECRETS)


def test_a_missing_setting_keeps_its_default(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "web:\n  port: 9000\n"))

    assert (settings.web.port, settings.web.host) == (9000, "127.0.0.1")


@pytest.mark.parametrize("text", ["", "# nothing\n", "web:\n"])
def test_an_empty_file_or_heading_means_the_defaults(tmp_path: Path, text: str) -> None:
    assert load_settings(written(tmp_path, text)) == Settings()


def test_the_environment_stands_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "web:\n  port: 9000\n  host: 127.0.0.2\n")
    monkeypatch.setenv("RAPPORT_WEB__PORT", "9100")

    settings = load_settings(file)

    assert (settings.web.port, settings.web.host) == (9100, "127.0.0.2")


def test_the_environment_can_name_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "shop:\n  name: Lamps\n")
    monkeypatch.setenv("RAPPORT_CONFIG", str(file))

    assert load_settings().shop.name == "Lamps"


@pytest.mark.parametrize(
    ("text", "line", "word", "hint"),
    [
        ("web:\n  host: ::1\n  prot: 80\n", 3, "web.prot", "Did you mean `port`?"),
        ("shop:\n  name: A\nwbe:\n  port: 80\n", 3, "wbe", "Did you mean `web`?"),
        (
            "analysis:\n  segmentations:\n    - name: a\n      featurs: [x]\n",
            4,
            "analysis.segmentations.0.featurs",
            "Did you mean `features`?",
        ),
        # Nothing is near, so nothing is suggested.
        ("web:\n  zzzz: 1\n", 2, "web.zzzz", None),
    ],
)
def test_an_unknown_setting_is_named_with_line_and_nearest(
    tmp_path: Path, text: str, line: int, word: str, hint: str | None
) -> None:
    problem = problem_of(tmp_path, text)

    assert problem.expected == f"unknown setting `{word}`"
    assert (problem.file, problem.line) == (tmp_path / "shop.yaml", line)
    assert problem.hint == hint


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("income: {policy: median}", "`income` is never filled"),
        ("phone: {policy: mode}", "`phone` is never filled"),
        ("consent_email: {policy: mode}", "`consent_email` is never filled"),
        ("name: {policy: constant, value: X}", "`name` is never filled"),
        ("gendr: {policy: mode}", "Did you mean `gender`?"),
        ("city: {policy: constant}", "`value` belongs to the policy `constant`"),
        ("city: {policy: forward}", "`order` belongs to the policy `forward`"),
        ("city: {policy: forward, order: city}", "`city` is no field"),
        ("city: {policy: constant, value: X, by: country}", "`by` belongs"),
        ("city: {policy: mode, by: email}", "`email` is no field"),
    ],
)
def test_a_policy_for_missing_values_that_cannot_be_is_refused(
    tmp_path: Path, policy: str, told: str
) -> None:
    problem = problem_of(tmp_path, f"clean:\n  missing:\n    {policy}\n")

    assert told in problem.expected
    assert problem.line in {2, 3}


def test_a_misspelt_key_of_a_policy_has_its_nearest(tmp_path: Path) -> None:
    text = "clean:\n  missing:\n    city: {polcy: mode}\n"

    problem = problem_of(tmp_path, text)

    assert (problem.line, problem.hint) == (3, "Did you mean `policy`?")


@pytest.mark.parametrize("field", ["city", "birth_date", "attributes.size"])
def test_a_policy_for_missing_values_can_be_chosen(tmp_path: Path, field: str) -> None:
    text = f"clean:\n  missing:\n    {field}: {{policy: mode, by: country}}\n"

    policies = load_settings(written(tmp_path, text)).clean.missing

    assert (policies[field].policy, policies[field].by) == ("mode", "country")


def test_a_wrong_value_is_shown_with_its_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "web:\n  host: ::1\n  port: many\n")

    assert (problem.line, problem.value) == (3, "many")
    assert problem.expected.startswith("`web.port`: Input should be a valid integer")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "web:\n  port: many\nmail:\n  tls: maybe\n")

    with pytest.raises(SettingsError) as caught:
        load_settings(file)

    assert [problem.line for problem in caught.value.problems] == [2, 4]


def test_a_wrong_value_of_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_WEB__PORT", "many")

    problem = problem_of(tmp_path, "web:\n  port: 9000\n")

    assert problem.expected.startswith("RAPPORT_WEB__PORT: ")
    assert (problem.file, problem.value) == (None, "many")


def test_an_unknown_variable_of_the_environment_is_named_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_WEB__PROT", "9000")

    problem = problem_of(tmp_path, "")

    assert "RAPPORT_WEB__PROT" in problem.expected
    assert problem.hint == "Did you mean `RAPPORT_WEB__PORT`?"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # A bracket stays open to the end of the file.
        ("shop:\n  languages: [en\n", 3),
        ("shop:\n  name: A\n  name: B\n", 3),
        # A value or a list where headings are expected.
        ("shop:\n  name: A\nmail: 3\n", 3),
        ("- shop\n", 1),
    ],
)
def test_a_file_of_the_wrong_form_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    assert problem_of(tmp_path, text).line == line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path / "none.yaml"))):
        load_settings(tmp_path / "none.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SettingsError, match="can't be read"):
        load_settings(tmp_path / "shop.yaml")


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_shown(
    tmp_path: Path, section: str, key: str
) -> None:
    problem = problem_of(tmp_path, f"{section}:\n  {key}: hunter2\n")

    assert problem.line == 2
    assert variable(section, key) in str(problem)
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_a_secret_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, section: str, key: str
) -> None:
    monkeypatch.setenv(variable(section, key), "hunter2")

    secret = getattr(getattr(load_settings(), section), key)

    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_a_secret_comes_from_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str
) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    monkeypatch.setenv(f"{variable(section, key)}_FILE", str(tmp_path / "secret"))

    secret = getattr(getattr(load_settings(), section), key)

    assert secret.get_secret_value() == "hunter2"


def test_a_secret_of_the_environment_stands_above_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("old", encoding="utf-8")
    monkeypatch.setenv("RAPPORT_MAIL__PASSWORD_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("RAPPORT_MAIL__PASSWORD", "new")

    assert load_settings().mail.password.get_secret_value() == "new"


def test_a_missing_secret_file_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPPORT_MAIL__PASSWORD_FILE", str(tmp_path / "none"))

    with pytest.raises(SettingsError, match="RAPPORT_MAIL__PASSWORD_FILE can't be"):
        load_settings()


def test_a_secret_file_does_not_hide_a_heading_of_the_wrong_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("hunter2", encoding="utf-8")
    monkeypatch.setenv("RAPPORT_MAIL__PASSWORD_FILE", str(tmp_path / "secret"))

    assert problem_of(tmp_path, "mail: 3\n").expected.startswith("`mail`: ")


def test_a_control_character_in_the_file_is_refused(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "shop:\n  name: \x07\n")

    assert problem.expected.startswith("not valid YAML")


def test_a_choice_of_forms_keeps_the_line(tmp_path: Path) -> None:
    text = "analysis:\n  segmentations:\n    - name: a\n      k: many\n"

    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, text))

    assert {problem.line for problem in caught.value.problems} == {4}
