"""Takes the pictures in `screenshots/`: the real screens over the demo's real runs.

    uv run python tests/shoot.py [--seconds 75]

Needs a monospaced font (Debian: fonts-jetbrains-mono). The same demo serves every picture, so the
later ones are a few seconds older.
"""

import argparse
import asyncio
import os
import re
from pathlib import Path

import resvg_py

from cockpit.demo.fleet import Demo
from cockpit.demo.governing import end_engine

DIRECTORY = Path(__file__).resolve().parents[1] / "screenshots"
FONT = "JetBrains Mono"
SIZES = [(120, 40), (80, 24), (200, 60)]
THEMES = ["cockpit", "in-time", "paper"]
PICTURES = [
    ("run-120x40", SIZES[0], ["enter"], "parser-port"),
    ("run-80x24", SIZES[1], ["enter"], "parser-port"),
    ("spend-120x40", SIZES[0], ["$"], "parser-port"),
    ("spend-80x24", SIZES[1], ["$"], "parser-port"),
    ("timer-120x40", SIZES[0], ["enter"], "ci-watch"),
    ("deferred-120x40", SIZES[0], ["enter"], "docs-rewrite"),
    ("answer-120x40", SIZES[0], ["a"], "release-notes"),
    ("commands-120x40", SIZES[0], [":"], "parser-port"),
    ("help-120x40", SIZES[0], ["?"], "parser-port"),
    ("held-120x50", (120, 50), ["p", "enter"], "parser-port"),
]
"""Name, size, keys and the run under the cursor; a pause comes last, for it lasts."""


async def shoot(seconds: float) -> None:
    demo = Demo()
    os.environ.update(demo.environment())
    from cockpit.engine import service

    async with demo:
        client = await service.connect()
        operating = asyncio.create_task(demo.operate(client))
        try:
            await asyncio.sleep(seconds)
            for theme in THEMES:
                for size in SIZES if theme == THEMES[0] else SIZES[:1]:
                    name = f"fleet-{size[0]}x{size[1]}" + (
                        "" if theme == THEMES[0] else f"-{theme}"
                    )
                    await picture(name, size, theme, [])
            for name, size, keys, wanted in PICTURES:
                await picture(name, size, THEMES[0], keys, wanted)
        finally:
            operating.cancel()
            await client.close()
            await asyncio.to_thread(end_engine)


async def picture(
    name: str, size: tuple[int, int], theme: str, keys: list[str], wanted: str = "parser-port"
) -> None:
    from cockpit.engine.remote import EngineRemote
    from cockpit.ui.app import CockpitApp
    from cockpit.ui.settings import ScreenSettings

    app = CockpitApp(EngineRemote(), settings=ScreenSettings(theme=theme))
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(2)
        await choose(pilot, wanted)
        for key in keys:
            await pilot.press(key)
            await asyncio.sleep(1)
        await asyncio.sleep(2)
        svg = app.export_screenshot(title="")
    write(name, svg)


async def choose(pilot, wanted: str) -> None:
    """Moves the cursor to a run with a budget, so that its clock is in the picture."""
    for _ in range(20):
        row = pilot.app.screen.table.under_cursor
        if row is not None and row.run.name.startswith(wanted):
            return
        await pilot.press("j")
        await pilot.pause()


def write(name: str, svg: str) -> None:
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", FONT)
    image = resvg_py.svg_to_bytes(svg_string=svg, zoom=2, font_family=FONT, monospace_family=FONT)
    DIRECTORY.mkdir(exist_ok=True)
    (DIRECTORY / f"{name}.png").write_bytes(bytes(image))
    print(name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Takes the pictures in screenshots/.")
    parser.add_argument("--seconds", type=float, default=75.0, help="how long the demo runs first")
    asyncio.run(shoot(parser.parse_args().seconds))
