"""Files that are written anew, of which the old one stays until the new one is whole."""

from __future__ import annotations

from pathlib import Path


def replace(path: Path, text: str, mode: int | None = None) -> None:
    """Writes a text in a file's place; on a full disk, what was there before stays.

    Args:
        path: The file; a link is followed, and what is no file, such as /dev/stdout, written to.
        text: What it is to hold; ends of lines stay as they are.
        mode: Who may read and write it, from the first byte; as before, or as the umask says,
            without.

    Raises:
        OSError: When it cannot be written; it names the file.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        place.write_text(text, encoding="utf-8", newline="")
        return
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
