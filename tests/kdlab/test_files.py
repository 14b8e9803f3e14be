"""What is written is whole or not there, and an error names the file."""

import errno
from pathlib import Path

import pytest

from kdlab.files import cache_dir, whole_or_not_at_all, write_atomically


def test_a_file_elsewhere_keeps_its_own_error(monkeypatch, tmp_path):
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file") as raised:
        write_atomically(tmp_path / "file/within/it", "text")
    assert "KDLAB_CACHE" not in str(raised.value)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("KDLAB_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "kdlab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(OSError, match="set KDLAB_CACHE to a folder"):
        cache_dir()


def test_a_disk_that_is_full_is_told_with_the_file(tmp_path):
    """Python names a file that cannot be opened, and none that cannot be written."""

    def written():
        with whole_or_not_at_all(tmp_path / "a.json") as partial:
            partial.write_text("half of it")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: .*a\.json"):
        written()
    assert list(tmp_path.iterdir()) == []


def test_two_who_write_one_file_do_not_write_into_each_other_s(tmp_path):
    """Threads share the number of their process; containers may, and a cache with it."""
    path = tmp_path / "a.json"
    with whole_or_not_at_all(path) as first, whole_or_not_at_all(path) as second:
        assert first != second
        first.write_text("one")
        second.write_text("half of")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]
