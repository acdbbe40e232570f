import pytest

from analytics.clean_name import (
    clean_name,
    is_doubtful,
    reordered_name,
    split_honorific,
)


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  Ann   Smith ", "Ann Smith"),
        ("ANN SMITH", "Ann Smith"),
        ("ludwig van beethoven", "Ludwig van Beethoven"),
        ("JEAN-LUC O'NEIL", "Jean-Luc O'Neil"),
        ("Anna McDonald", "Anna McDonald"),  # mixed case is somebody's decision
        ("JJ ABRAMS", "JJ Abrams"),
        ("王小明", "王小明"),
        ("王 小明", "王小明"),
        ("ＡＮＮ　Ｌｅｅ", "ANN Lee"),  # full-width letters and blank
        ("Ann\u200b Lee\ufeff", "Ann Lee"),  # signs that nobody sees
        ("Jose\u0301", "Jos\u00e9"),
        ("小明 王", "小明 王"),  # the blank tells the parts apart
        ("   ", ""),
    ],
)
def test_a_name_gets_one_form(typed, cleaned):
    assert clean_name(typed) == cleaned


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Dr. Ann Lee", ("Dr.", "Ann Lee")),
        ("Mr Dr Bob Lee", ("Mr Dr", "Bob Lee")),
        ("王先生", ("先生", "王")),
        ("李 小姐", ("小姐", "李")),
        ("Drew Lee", (None, "Drew Lee")),
        ("先生", (None, "先生")),
        ("Mr", (None, "Mr")),
    ],
)
def test_an_honorific_stands_before_or_behind(name, parts):
    assert split_honorific(name) == parts


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Lee, Ann", "Ann Lee"),
        ("小明 王", "王小明"),
        ("国强 欧阳", "欧阳国强"),
        ("王 小明", None),
        ("高 林", None),  # both are family names
        ("Lee, Jr.", None),
        ("Miller, Ltd", None),
        ("Ann Lee", None),
    ],
)
def test_a_name_the_wrong_way_round_is_noticed(name, meant):
    assert reordered_name(name) == meant


@pytest.mark.parametrize(
    ("name", "doubtful"),
    [
        ("Test", True),
        ("未知", True),
        ("ann@example.com", True),
        ("12345", True),
        ("Ann Test", False),
        ("王", False),
    ],
)
def test_a_word_that_is_nobody_is_doubtful(name, doubtful):
    assert is_doubtful(name) is doubtful
