from hypothesis import given
from hypothesis import strategies as st

from cockpit.ui.widgets.viewport import Place, Viewport

heights = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def looking(tall: list[int], height: int, first: int = -3) -> Viewport:
    view = Viewport(lambda key: tall[key - first])
    view.top = Place(first, 0)
    view.over(first, first + len(tall), height)
    return view


def all_places(tall: list[int], first: int = -3) -> list[Place]:
    return [Place(first + key, line) for key, lines in enumerate(tall) for line in range(lines)]


@given(heights, st.integers(1, 10), st.lists(st.integers(-15, 15), max_size=8))
def test_scrolling_is_scrolling_over_all_lines(tall, height, moves):
    view = looking(tall, height)
    lines = all_places(tall)
    top = 0
    for move in moves:
        lowest = max(0, len(lines) - height)
        reached_end = view.scroll(move)
        assert reached_end == (min(max(top + move, 0), len(lines) - 1) >= lowest)
        top = min(max(top + move, 0), lowest)
        assert view.top == lines[top]
        assert view.places() == lines[top : top + height]


@given(heights, st.integers(1, 10), st.data())
def test_a_revealed_entry_is_in_view_as_a_whole_or_from_its_start(tall, height, data):
    view = looking(tall, height)
    for key in data.draw(st.lists(st.integers(0, len(tall) - 1), max_size=6)):
        view.reveal(key - 3)
        shown = [place.line for place in view.places() if place.key == key - 3]
        assert shown == list(range(min(height, tall[key])))


@given(heights, st.integers(1, 10), st.data())
def test_revealing_what_is_in_view_moves_nothing(tall, height, data):
    view = looking(tall, height)
    view.scroll(data.draw(st.integers(0, 40)))
    top, whole = (
        view.top,
        [place.key for place in view.places() if place.line == tall[place.key + 3] - 1],
    )
    for key in whole:
        if Place(key, 0) >= top:
            view.reveal(key)
            assert view.top == top


def test_entries_above_move_nothing():
    tall = dict.fromkeys(range(-5, 5), 3)
    view = Viewport(tall.__getitem__)
    view.over(0, 5, 4)
    view.scroll(4)
    shown = view.places()
    view.over(-5, 5, 4)
    assert view.places() == shown


def test_an_entry_that_shrank_is_shown_to_its_end():
    tall = [9, 2]
    view = looking(tall, 4)
    view.scroll(7)
    tall[0] = 3
    view.over(-3, -1, 4)
    assert view.top == Place(-3, 2)
