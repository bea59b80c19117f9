"""Beginning a run anew: what a search has written into a folder is removed, and nothing else that lies there.

Reports, engines and comparisons are other commands' work; they stay.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hwnas.search import archive as archives
from hwnas.search.archive_tables import APPLICATION_ID
from hwnas.search.config import Config
from hwnas.search.config_files import load_stored
from hwnas.search.kept_weights import WEIGHTS
from hwnas.search.made_objectives import FILE as OBJECTIVES
from hwnas.search.run import ARCHIVE, CONFIG, START, TABLES
from profilers.errors import BadInput, HwnasError
from profilers.outputs import FRESH, foreign

_JOURNALS = ("-wal", "-shm", "-journal")
_WEIGHTS = re.compile(r"[0-9a-f]{10}\.safetensors")


def clear(folder: Path, wanted: Config) -> None:
    """Remove the run in `folder`, whose lock the caller holds; tables that the new one is `wanted` with stay.

    Raises:
        BadInput: an archive that is not of hwnas, or a run that is to start from itself; then nothing is removed.
    """
    archive, config = folder / ARCHIVE, folder / CONFIG
    if archive.exists() and not _is_archive(archive) and archives.exists(archive):
        raise foreign(archive, "the archive of a run, or nothing")
    if wanted.init_from and wanted.init_from.resolve() == folder.resolve():
        raise BadInput(f"init_from = {folder}, the run that {FRESH} removes", "another run", "another --out")
    own = [*_own(folder, config), *(path for path in (config,) if archive.exists() or _is_config(path))]
    keep = {path.resolve() for path in wanted.all_tables.values()}
    for path in (*own, archive, *(archive.with_name(f"{ARCHIVE}{end}") for end in _JOURNALS)):
        if path.resolve() not in keep:
            path.unlink(missing_ok=True)
    for name in (TABLES, WEIGHTS):
        with suppress(OSError):  # there is none, or something else lies in it
            (folder / name).rmdir()


def _own(folder: Path, config: Path) -> Iterator[Path]:
    """Files that stand beside the archive; what lies behind a link was not made here."""
    weights, tables = folder / WEIGHTS, folder / TABLES
    yield from (folder / OBJECTIVES, folder / START)
    if not weights.is_symlink():
        yield from (path for path in weights.glob("*") if _WEIGHTS.fullmatch(path.name))
    if not tables.is_symlink():
        with suppress(HwnasError):  # damaged: tables of the same names are written over
            yield from (path for path in load_stored(config).all_tables.values() if path.parent == tables)


def _is_archive(path: Path) -> bool:
    with suppress(sqlite3.Error), sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
        return bool(connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)
    return False


def _is_config(path: Path) -> bool:
    with suppress(HwnasError):
        return bool(load_stored(path))
    return False
