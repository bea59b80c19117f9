"""References to data sets: NAME:ROOT?options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.data import get_dataset
from hwnas.data.reference import Reference, parse_reference, resolve_reference
from profilers.errors import BadInput

paths = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).map(Path)


@given(st.sampled_from(["folder", "cifar10"]), paths, st.sampled_from(["fail", "skip"]), st.sampled_from([0, 1, 3]))
def test_a_reference_is_its_text(name, root, damaged, channels):
    reference = Reference(name, root, damaged, channels)
    if "?" not in str(root) or damaged != "fail" or channels:
        assert parse_reference(str(reference)) == reference


def test_a_relative_folder_is_relative_to_the_configuration(monkeypatch):
    here = Path("/home/me/configs")
    assert resolve_reference("cifar10:../data", here) == "cifar10:/home/me/configs/../data"
    assert resolve_reference("folder:mine?damaged=skip", here) == "folder:/home/me/configs/mine?damaged=skip"
    assert resolve_reference("pets:/data/pets", here) == "pets:/data/pets"
    assert resolve_reference("digits", here) == "digits"
    monkeypatch.setenv("HOME", "/home/me")
    assert resolve_reference("pets:~/pets", here) == "pets:/home/me/pets"


@pytest.mark.parametrize("text", ["folder:a?damaged=maybe", "folder:a?channels=2", "folder:a?verbose", "folder:a?"])
def test_options_that_there_are_not_are_refused(text):
    with pytest.raises(BadInput, match=r"option '.*' in data set .*; allowed: damaged=fail, damaged=skip, channels=1"):
        parse_reference(text)


def test_a_variable_replaces_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HWNAS_ROOT_CINIC10", str(tmp_path / "moved"))
    for text in ("cinic10", "cinic10:/from/another/machine"):
        with pytest.raises(BadInput, match=f"data set cinic10: the folder {tmp_path}/moved does not exist"):
            get_dataset(text)


def test_digits_take_no_folder():
    for text in ("digits:/data", "digits?channels=3"):
        with pytest.raises(BadInput, match="digits: it is built in"):
            get_dataset(text)


def test_a_search_can_resolve_references_without_torch():
    import subprocess
    import sys

    code = "import sys, hwnas.data.reference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
