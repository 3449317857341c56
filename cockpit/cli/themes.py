"""`cockpit themes`."""

import json

import click

from cockpit.cli.options import json_option
from cockpit.journal import paths


@click.command()
@json_option
def themes(as_json: bool) -> None:
    """The color themes, where yours go, and what is wrong with those that cannot be used."""
    from cockpit.ui.themes import load_all

    loaded = load_all(paths.user_themes())
    names = sorted(loaded.skins)
    problems = [str(problem) for problem in loaded.notices]
    if as_json:
        answer = {"themes": names, "yours": str(paths.user_themes()), "problems": problems}
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo("\n".join(names))
    click.echo(
        f'\nYours go to {paths.user_themes()}; choose one with theme = "name" in {paths.settings_file()}'
    )
    for problem in problems:
        click.echo(problem, err=True)
