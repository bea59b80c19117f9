import sys
from importlib.metadata import EntryPoint

import pytest

from profilers import plugins
from profilers.errors import BadInput
from profilers.plugins import Registry, load_object


@pytest.fixture
def modules(tmp_path):
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def brought(monkeypatch):
    points = {"good": "json:dumps", "broken": "no_such_module_at_all:X", "first": "json:loads"}
    found = [EntryPoint(name, value, "hwnas.test") for name, value in points.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found if group == "hwnas.test" else [])


def registry(**more):
    return Registry("hwnas.test", "thing", {"first": "math:floor", "second": len}, **more)


def test_built_in_ones_come_first_and_cannot_be_replaced(brought):
    import json
    import math

    things = registry()
    assert list(things) == ["first", "second", "good", "broken"]
    assert things.find("first") is math.floor and things["good"] is json.dumps and len(things) == 4


def test_an_unknown_name_names_the_known_ones(brought):
    with pytest.raises(BadInput, match=r"unknown thing 'goood'; allowed: first, second, good, broken; try: good"):
        registry().find("goood")
    with pytest.raises(KeyError):
        registry()["goood"]


def test_a_broken_package_is_one_line_and_the_others_work(brought):
    with pytest.raises(BadInput, match="thing 'broken' of a package cannot be imported: ModuleNotFoundError"):
        registry().find("broken")
    assert registry().find("second") is len


def test_what_comes_from_outside_is_checked(brought):
    def check(name, value):
        if not callable(value):
            raise BadInput(f"{name} is a {type(value).__name__}", "a function")

    things = registry(check=check)
    things.add("mine", abs)
    assert things["mine"] is abs
    with pytest.raises(BadInput, match="a second thing 'mine'"):
        things.add("mine", len)
    with pytest.raises(BadInput, match="number is a int"):
        things.add("number", 3)
    with pytest.raises(BadInput, match="python:math:pi is a float"):
        things.find("python:math:pi")


def test_a_module_beside_a_file(modules):
    (modules / "beside_one.py").write_text("VALUE = 7\ndef other(): pass\n")
    assert load_object("beside_one:VALUE", modules) == 7
    assert load_object(f"{modules}/beside_one:VALUE") == 7
    assert load_object(f"{modules}/beside_one.py:VALUE") == 7  # its file
    assert sys.path[-1] == str(modules) and sys.path.count(str(modules)) == 1  # its functions may import neighbours
    with pytest.raises(BadInput, match="no VALU in beside_one; try: VALUE"):
        load_object("beside_one:VALU", modules)


def test_two_modules_of_one_name_are_told_apart(modules):
    for folder, value in (("a", 1), ("b", 2)):
        (modules / folder).mkdir()
        (modules / folder / "same_name.py").write_text(f"VALUE = {value}\n")
    assert load_object("same_name:VALUE", modules / "a") == 1
    with pytest.raises(BadInput, match="two modules same_name"):
        load_object("same_name:VALUE", modules / "b")


@pytest.mark.parametrize("where", ["module", ":x", "module:", "", "a:b:"])
def test_other_forms_are_refused(where):
    with pytest.raises(BadInput, match="python:module:NAME"):
        load_object(where)


def test_a_module_that_raises_is_one_line(modules):
    (modules / "raising.py").write_text("raise RuntimeError('no\\nluck')\n")
    with pytest.raises(BadInput, match="python:raising:X cannot be imported: RuntimeError: no luck"):
        load_object("raising:X", modules)
