"""Replaces files such that the old one stays until the new one is complete."""

from __future__ import annotations

from pathlib import Path


def replace(path: Path, text: str, mode: int | None = None) -> None:
    """Writes a text in a file's place; on a full disk, what was there before stays.

    Args:
        path: The file; a link is followed. What is no file, such as /dev/stdout, is written to.
        text: The new content; ends of lines stay as they are.
        mode: The file's permissions, from the first byte on. With None, they stay as they were; a
            file that is new gets them from the umask.

    Raises:
        OSError: When the file cannot be written; the error names it.
    """
    if path.exists() and not path.is_file():  # a pipe's link leads to no path
        path.write_text(text, encoding="utf-8", newline="")
        return
    place = path.resolve()
    fresh = place.with_name(f".{place.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        fresh.touch(0o666 if mode is None else mode)
        if mode is not None or place.exists():
            fresh.chmod(place.stat().st_mode if mode is None else mode)
        fresh.write_text(text, encoding="utf-8", newline="")
        fresh.replace(place)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        fresh.unlink(missing_ok=True)
