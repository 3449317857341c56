"""Tailing: whatever happens to a file, every whole line is read once."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents import tail
from cockpit.core.call import Cursor


class Reader:
    """Follows one file as the engine does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.cursor: Cursor | None = None
        self.bad_lines = 0

    def more(self) -> bytes:
        self.cursor = tail.begin(self.path, self.cursor)
        data = b""
        for block in tail.blocks(self.path, self.cursor):
            assert block.start <= block.cursor.offset
            assert block.data == b"" or block.data.endswith(b"\n")
            data += block.data
            self.bad_lines += block.bad_lines
            self.cursor = block.cursor
        return data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_half_line_waits_for_its_end(path: Path) -> None:
    reader = Reader(path)
    append(path, b'{"a":1}\n{"b"')
    assert reader.more() == b'{"a":1}\n'
    assert reader.more() == b""
    append(path, b":2}")
    assert reader.more() == b""
    append(path, b"\n")
    assert reader.more() == b'{"b":2}\n'


def test_a_truncated_file_begins_anew(path: Path) -> None:
    reader = Reader(path)
    append(path, b"one\ntwo\n")
    reader.more()
    path.write_bytes(b"one\n")
    assert reader.more() == b"one\n"


def test_a_replaced_file_begins_anew(path: Path) -> None:
    reader = Reader(path)
    append(path, b"one\n")
    reader.more()
    other = path.with_suffix(".new")
    other.write_bytes(b"another\nand more\n")
    other.replace(path)
    assert reader.more() == b"another\nand more\n"


def test_a_file_written_anew_in_place_begins_anew_though_it_grew(path: Path) -> None:
    reader = Reader(path)
    append(path, b'{"session":"a"}\n')
    reader.more()
    inode = path.stat().st_ino
    path.write_bytes(b'{"session":"b"}\n{"line":2}\n')
    assert path.stat().st_ino == inode
    assert reader.more() == b'{"session":"b"}\n{"line":2}\n'


def test_a_file_with_another_line_end_at_the_offset_begins_anew(path: Path) -> None:
    reader = Reader(path)
    same = b"x" * tail.HEAD
    append(path, same + b"\n")
    reader.more()
    path.write_bytes(same + b"yyyy\nmore\n")
    assert reader.more() == same + b"yyyy\nmore\n"


def test_a_rotated_file_is_left_where_it_was_and_the_new_one_is_read(path: Path) -> None:
    reader = Reader(path)
    append(path, b"old\n")
    reader.more()
    path.rename(path.with_suffix(".1"))
    append(path, b"new\n")
    assert reader.more() == b"new\n"


def test_a_file_replaced_between_look_and_read_is_not_mixed_up(path: Path) -> None:
    append(path, b"one\n")
    cursor = tail.begin(str(path), None)
    keep = path.open("rb")
    path.unlink()
    append(path, b"two\n")
    assert list(tail.blocks(str(path), cursor)) == []
    keep.close()


def test_a_vanished_file_is_an_error_the_caller_knows(path: Path) -> None:
    append(path, b"one\n")
    cursor = tail.begin(str(path), None)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        list(tail.blocks(str(path), cursor))
    with pytest.raises(FileNotFoundError):
        tail.begin(str(path), cursor)


def test_a_pipe_of_the_right_name_does_not_hang(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"seek|Illegal"):
        list(tail.blocks(str(path), Cursor()))


def test_a_line_longer_than_a_block_arrives_whole(path: Path) -> None:
    line = b'{"x":"' + b"y" * (3 * tail.BLOCK) + b'"}\n'
    append(path, b"before\n" + line + b"after\n")
    reader = Reader(path)
    assert reader.more() == b"before\n" + line + b"after\n"
    assert reader.bad_lines == 0


def test_a_line_of_a_hundred_megabytes_is_counted_and_passed_over(path: Path) -> None:
    append(path, b"before\n")
    with path.open("r+b") as file:
        file.seek(100 * 1024 * 1024)
        file.write(b"\nafter\n")
    reader = Reader(path)
    assert reader.more() == b"before\nafter\n"
    assert reader.bad_lines == 1


def test_an_unfinished_long_line_stays_unread(path: Path) -> None:
    append(path, b"before\n" + b"z" * (2 * tail.BLOCK))
    reader = Reader(path)
    assert reader.more() == b"before\n"
    append(path, b"\n")
    assert len(reader.more()) == 2 * tail.BLOCK + 1


def test_reading_ends_where_it_is_told_to(path: Path) -> None:
    append(path, b"one\ntwo\nthree\n")
    blocks = list(tail.blocks(str(path), Cursor(), until=8))
    assert b"".join(block.data for block in blocks) == b"one\ntwo\n"


def test_a_document_too_large_is_refused(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(tail.DOCUMENT_LIMIT + 1)
    with pytest.raises(OSError, match="one document"):
        tail.document(str(path))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(2, 64))
def test_any_bytes_in_any_pieces_are_read_once(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], block: int
) -> None:
    path = tmp_path_factory.mktemp("tail") / "file"
    path.touch()
    reader, seen, size = Reader(path), b"", tail.BLOCK
    tail.BLOCK = block
    try:
        for piece in pieces:
            append(path, piece)
            seen += reader.more()
    finally:
        tail.BLOCK = size
    whole = b"".join(pieces)
    assert seen == whole[: whole.rfind(b"\n") + 1]
