# SPDX-License-Identifier: Apache-2.0
"""An artifact in a file or a pipe."""

import os
from pathlib import Path

import pytest
import urllib3

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source import open_source
from ota_agent.download.source.file import FileSource
from ota_agent.errors import AgentError
from tests.unit.agent.download.source.around import Time

CONTENT = bytes(range(256)) * 4


def test_a_file_is_read_skipped_and_read_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    source = FileSource(Address(f"{tmp_path}/a"))

    first = source.read(10)
    source.skip(500)
    rest = b"".join(iter(lambda: source.read(300), b""))

    assert (source.size, first, rest) == (1024, CONTENT[:10], CONTENT[510:])
    assert source.offset == 1024
    assert source.can_rewind
    source.rewind()
    assert (source.read(5), source.offset) == (CONTENT[:5], 5)
    source.close()


def test_standard_input_is_read_from_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    file = os.open(tmp_path / "a", os.O_RDONLY)
    os.read(file, 24)
    monkeypatch.setattr("ota_agent.download.source.file._STDIN", file)
    source = FileSource(Address("-"))

    assert (source.size, source.read(4)) == (1000, CONTENT[24:28])
    source.skip(100)
    assert source.read(4) == CONTENT[128:132]
    source.close()
    os.close(file)


def test_a_pipe_is_read_over_where_a_file_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    os.write(into, CONTENT)
    os.close(into)
    monkeypatch.setattr("ota_agent.download.source.file._STDIN", out)
    source = FileSource(Address("-"))

    source.skip(1000)

    assert (source.size, source.offset, source.can_rewind) == (None, 1000, False)
    assert source.read(100) == CONTENT[1000:]
    source.skip(5)
    assert source.offset == 1024
    os.close(out)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing.mender", "missing.mender: No such file or directory; name an artifact"),
        (".", ": is a folder or a disk; name the artifact in it"),
        ("http://[::1/a", "http://…: is neither an http or https URL nor a path"),
        ("https:///a", "is neither an http or https URL nor a path"),
        ("ftp://x/a.mender", "ftp://x/a.mender: is neither an http or https URL nor a path"),
    ],
)
def test_a_source_that_cannot_be_an_artifact_is_named(
    place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AgentError, match=said):
        open_source(
            Address(place),
            DownloadOptions(),
            Time().surroundings,
            pool=_no_pool,
            tell=lambda event: None,
        )


def _no_pool() -> urllib3.PoolManager:
    raise AssertionError("connections for a file")
