"""What every adapter of appended files promises, whatever the bytes."""

from pathlib import Path

from hypothesis import strategies as st

from cockpit.agents.adapter import Source
from tests.agents.reading import merged, read_block, sources, split_anywhere

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def holds_for_bytes(adapter, source: Source, data: bytes) -> None:
    """Neither reading raises, and the memory it gives can be read again."""
    books, _ = read_block(adapter, source, data)
    read_block(adapter, source, data, books.memory)
    read_block(adapter, source, data, data)


def holds_when_split(adapter, base, cuts) -> None:
    """Blocks that end anywhere give the same calls and the same story."""
    for source in sources(adapter, base):
        if source.form == "lines":
            source_holds_when_split(adapter, source, cuts)


def source_holds_when_split(adapter, source: Source, cuts) -> None:
    data = Path(source.path).read_bytes()
    whole, told = read_block(adapter, source, data)
    calls, events, bad = split_anywhere(adapter, source, data, cuts)
    assert {i: c.tokens for i, c in merged(calls).items()} == {
        i: c.tokens for i, c in merged(whole.calls).items()
    }
    assert events == told
    assert bad == whole.bad_lines


def agrees_on_sources(adapter, base, environment=None) -> None:
    """A changed path leads to the same source that a look at the whole root finds."""
    for root in adapter.roots(base, environment or {}):
        for source in adapter.sources(root):
            assert adapter.source(Path(source.path), root) == source
