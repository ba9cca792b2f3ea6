"""Where things lie: two settings, and what holds without them."""

from pathlib import Path

import pytest

from fmd_core import home
from fmd_core.datasets.families import load_dataset
from fmd_core.errors import DataError
from fmd_core.home import data_folder, home_folder


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """A user with an empty home and neither setting; the repository stands alone."""
    for name in ("FMD_HOME", "FMD_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "user")
    monkeypatch.setattr(home, "REPOSITORY", tmp_path / "work" / "repository")
    monkeypatch.chdir(tmp_path)


def test_the_home_folder_is_made_where_the_setting_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_HOME", str(tmp_path / "kept" / "here"))
    assert home_folder() == tmp_path / "kept" / "here"
    assert home_folder().is_dir()  # asked for again, and made with the folder above


@pytest.mark.parametrize("setting", [None, ""], ids=["not set", "empty"])
def test_without_a_setting_the_home_folder_is_the_users(tmp_path, monkeypatch, setting):
    if setting is not None:
        monkeypatch.setenv("FMD_HOME", setting)
    assert home_folder() == tmp_path / "user" / ".fmd-studio"
    assert home_folder().is_dir()


def test_data_are_read_where_the_setting_says_and_nothing_is_made_there(tmp_path, monkeypatch):
    (tmp_path / "work" / "shared" / "data").mkdir(parents=True)
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "data"))
    assert data_folder() == tmp_path / "data"
    assert not data_folder().exists()


@pytest.mark.parametrize("setting", [None, ""], ids=["not set", "empty"])
def test_without_a_setting_data_lie_beside_the_repository_or_at_home(tmp_path, monkeypatch, setting):
    if setting is not None:
        monkeypatch.setenv("FMD_DATA_DIR", setting)
    assert data_folder() == tmp_path / "user" / ".fmd-studio" / "data"
    beside = tmp_path / "work" / "shared" / "data"
    beside.mkdir(parents=True)
    assert data_folder() == beside


def test_public_data_are_looked_for_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path))
    (tmp_path / "celeba").mkdir()
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text("3\nonly_one\n")
    with pytest.raises(DataError, match=r"^'list_attr_celeba.txt' should start with a line"):
        load_dataset("celeba")
