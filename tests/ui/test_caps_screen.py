"""The caps that runs share, read and changed on the screen."""

import governed as g
import pytest
from fleets import fleet_of
from stand_in import StandIn, screen_on, settled, written

from cockpit.core.concentration import Claimant, Scope
from cockpit.ui.screens.caps import CapsScreen

DOLLAR = 10**9
SCOPES = [
    Scope("fleet", None, settled=812 * DOLLAR),
    Scope("month:2026-11", 900 * DOLLAR, settled=412 * DOLLAR),
    Scope("day:2026-11-22", 20 * DOLLAR, 12 * DOLLAR, DOLLAR, 5 * DOLLAR, (Claimant("r", "r", None),)),
    Scope("project:/home/mia/[bold]parser", 40 * DOLLAR, settled=39 * DOLLAR),
    Scope("project:/home/mia/work/customers/acme/invoices", None, settled=2 * DOLLAR),
]  # fmt: skip


def opened(remote):
    remote.scopes = SCOPES
    return screen_on(remote)


def remote():
    return StandIn(fleet_of(g.held()))


async def pressed(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def page(app):
    return "\n".join(written(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
def test_the_caps(snap_compare, size):
    async def before(pilot):
        await settled(pilot)
        await pilot.press("B")
        await settled(pilot)

    assert snap_compare(opened(remote()), terminal_size=size, run_before=before)


async def test_a_lower_cap_is_set_at_once_and_a_higher_one_asks():
    told = remote()
    app = opened(told)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pressed(pilot, "B", "down", "down", "enter")
        await pressed(pilot, *["backspace"] * 12, *"10usd", "enter")
        assert told.heard == [("cap", "day", 10 * DOLLAR)]
        await pressed(pilot, "enter", *["backspace"] * 12, *"200usd", "enter")
        assert "raise it?" in page(app)
        await pressed(pilot, "enter")
        assert len(told.heard) == 1
        await pressed(pilot, "enter", "y")
        assert told.heard[-1] == ("cap", "day", 200 * DOLLAR)


async def test_what_is_no_money_is_said_and_escape_leads_back():
    told = remote()
    app = opened(told)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pressed(pilot, "B", "end", "enter", *"many", "enter")
        assert "many" in page(app)
        await pressed(pilot, "escape")
        assert isinstance(app.screen, CapsScreen)
        await pressed(pilot, "escape")
        assert not isinstance(app.screen, CapsScreen)
        assert told.heard == []
