"""The screen."""

import sys

from cockpit.cli.output import fail, zone
from cockpit.cli.terminal import guarded
from cockpit.journal import paths, settings


def open_screen() -> None:
    """Shows the screen until it is quit; the engine is started behind it when missing."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(
            "the screen needs a terminal; for pipes there are cockpit ps --json and cockpit spend --json"
        )
    try:
        options = settings.load(paths.settings_file())
    except settings.SettingsError as error:
        fail(str(error))
    with guarded():
        code = _shown(options)
    sys.exit(code)


def _shown(options: settings.Settings) -> int:
    from cockpit.engine.remote import EngineRemote
    from cockpit.ui.app import CockpitApp
    from cockpit.ui.settings import ScreenSettings

    app = CockpitApp(
        EngineRemote(),
        settings=ScreenSettings(
            theme=options.theme,
            keys=options.keys,
            themes=paths.user_themes(),
            keep_theme=_keep_theme,
            tz=zone(options.timezone) if options.timezone else None,
        ),
    )
    app.run(mouse=options.mouse)
    return app.return_code or 0


def _keep_theme(name: str) -> None:
    from cockpit.journal.choice import keep_theme

    keep_theme(paths.settings_file(), name)
