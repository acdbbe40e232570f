from __future__ import annotations

import json

import pytest

from bench.__main__ import benchmark, main, names
from bench.contract import Promise, against_peer, alternate, at_least, at_most, show

KEYS = [
    *("name", "value", "unit", "target", "peer", "ratio", "n", "spread", "holds"),
]


@pytest.mark.parametrize(
    ("ours", "holds"),
    # The median of ours against 0.4 of the peer's median, 100.
    [([39, 40, 90], True), ([39, 39.9, 90], False)],
)
def test_a_share_of_the_peers_rate_is_kept_or_not(ours, holds):
    promise = against_peer("import", ours, [90, 100, 200], "rows/s", 0.4)

    assert promise.holds is holds
    assert promise.ratio == pytest.approx(sorted(ours)[1] / 100)
    assert (promise.peer, promise.n) == (100, 3)


def test_limits_hold_on_their_side():
    assert at_most("start", [0.3, 0.4, 0.9], "s", 0.5).holds
    assert not at_most("start", [0.5], "s", 0.5).holds
    assert at_least("share", [0.4], "", 0.4).holds


def test_the_spread_is_that_of_the_runs():
    assert at_most("start", [1.0, 2.0, 4.0], "s", 5).spread == pytest.approx(1.5)
    assert at_most("start", [1.0], "s", 5).spread is None


def test_ours_and_the_peer_take_turns():
    calls: list[str] = []

    def measured(name: str) -> float:
        calls.append(name)
        return 1.0

    alternate(2, lambda: measured("ours"), lambda: measured("peer"))

    assert calls == ["peer", "ours", "peer", "ours"]


def test_json_gives_one_object_a_line_with_the_promised_keys(capsys):
    promise = at_most("start", [0.3], "s", 0.5)

    show([promise, promise], as_json=True)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(line) for line in lines] == [KEYS, KEYS]
    assert Promise(**lines[0]) == promise


def test_the_table_says_whether_each_promise_holds(capsys):
    show([at_most("start", [0.9], "s", 0.5)], as_json=False)

    assert capsys.readouterr().out.split()[-1] == "no"


def test_the_list_names_every_benchmark_with_what_it_measures(capsys):
    assert main(["--list"]) == 0

    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == names()
    assert {"import", "footprint"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_every_benchmark_keeps_the_contract(name):
    module = benchmark(name)

    assert module.__doc__
    assert callable(module.add_options)
    assert callable(module.run)


def test_an_unknown_name_gets_the_nearest(capsys):
    assert main(["improt"]) == 2

    assert "Did you mean `import`?" in capsys.readouterr().err


def test_a_missing_input_stops_the_benchmark_with_its_reason(capsys, tmp_path):
    assert main(["import", "--file", str(tmp_path / "no.csv")]) == 2

    assert "no.csv is not there" in capsys.readouterr().err
