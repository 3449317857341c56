"""Takes the pictures in `screenshots/`: the real screens over the demo's real runs.

    uv run python tests/shoot.py [--seconds 75]

Needs a monospaced font (Debian: fonts-jetbrains-mono). The same demo serves every picture, so the
later ones are a few seconds older.
"""

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

import resvg_py

from cockpit.demo.fleet import Demo

DIRECTORY = Path(__file__).resolve().parents[1] / "screenshots"
FONT = "JetBrains Mono"
SIZES = [(120, 40), (80, 24), (200, 60)]
THEMES = ["cockpit", "in-time", "paper"]
GOVERNED = {
    "importer": ["--budget", "2usd"],
    "changelog": ["--budget", "0.15usd"],
    "handbook": ["--budget", "0.15usd", "--at-zero", "ask"],
}
AGENT = """
import json, os, time, urllib.error, urllib.request

def cached(text):
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}

def call(messages):
    body = {"model": "claude-sonnet-5-5", "max_tokens": 2000, "messages": messages,
            "system": [cached("You change code with care and run its tests. " * 300)],
            "tools": [{"name": "read", "description": "Reads a part of a file. " * 150,
                       "input_schema": {"type": "object", "properties": {}}}]}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode(),
        {"content-type": "application/json", "anthropic-version": "2023-06-01",
         "x-api-key": os.environ["ANTHROPIC_API_KEY"]})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)["content"][0].get("text") or "done"

messages = [{"role": "user", "content": [cached("Make the importer stream its rows. " * 20)]}]
for number in range(1000):
    try:
        said = call(messages)
    except urllib.error.HTTPError:
        time.sleep(20)
        continue
    used = {"type": "tool_use", "id": f"toolu_{number}", "name": "read", "input": {"path": "rows.py"}}
    read = {"type": "tool_result", "tool_use_id": used["id"],
            "content": "def rows(source): yield from source  # " * 120}
    last = messages[-1]["content"][-1]
    last.pop("cache_control", None)
    messages.append({"role": "assistant", "content": [{"type": "text", "text": said}, used]})
    messages.append({"role": "user", "content": [read, cached("Go on, and keep the tests green.")]})
    time.sleep(4)
"""
"""Reads and goes on, for ever; the conversation grows as an agent's does."""


async def shoot(seconds: float) -> None:
    demo = Demo()
    os.environ.update(demo.environment())
    from cockpit.cli.demo import cap
    from cockpit.engine import service

    async with demo:
        client = await service.connect()
        capping = asyncio.create_task(cap(demo, client))
        try:
            await govern(demo)
            await asyncio.sleep(seconds)
            for theme in THEMES:
                for size in SIZES if theme == THEMES[0] else SIZES[:1]:
                    name = f"fleet-{size[0]}x{size[1]}" + (
                        "" if theme == THEMES[0] else f"-{theme}"
                    )
                    await picture(name, size, theme, [])
            for size in SIZES[:2]:
                await picture(f"run-{size[0]}x{size[1]}", size, THEMES[0], ["enter"])
                await picture(f"spend-{size[0]}x{size[1]}", size, THEMES[0], ["$"])
            await picture("held-120x50", (120, 50), THEMES[0], ["p", "enter"], "importer")
            await picture("answer-120x40", SIZES[0], THEMES[0], ["a"], "handbook")
            await picture("commands-120x40", SIZES[0], THEMES[0], [":"])
            await picture("help-120x40", SIZES[0], THEMES[0], ["?"])
        finally:
            capping.cancel()
            await client.close()
            await asyncio.to_thread(service.stop)


async def govern(demo: Demo) -> None:
    """Starts agents behind the gateway, as an operator would."""
    for name, options in GOVERNED.items():
        to = ["--upstream", f"anthropic={demo.url}/run/{name}"]
        workspace = demo.root / "work" / name
        workspace.mkdir(parents=True, exist_ok=True)
        begun = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cockpit", "run", "--detach", "--name", name, *options, *to,
            "--", sys.executable, "-c", AGENT, cwd=workspace, env={**os.environ, "ANTHROPIC_API_KEY": "none"},
        )  # fmt: skip
        await begun.wait()


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
