"""Where cockpit keeps things. `COCKPIT_HOME` puts all of it under one directory."""

import os
from pathlib import Path

import platformdirs

_NAME = "cockpit"


def _home() -> Path | None:
    home = os.environ.get("COCKPIT_HOME")
    return Path(home).expanduser() if home else None


def private(directory: Path) -> Path:
    """The directory, made if missing, readable by its owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def config() -> Path:
    """Settings, themes, the user's prices."""
    home = _home()
    return home / "config" if home else Path(platformdirs.user_config_dir(_NAME))


def data() -> Path:
    """The journal: what cannot be made again."""
    home = _home()
    return home / "data" if home else Path(platformdirs.user_data_dir(_NAME))


def cache() -> Path:
    """The usage index: can be made again from the agents' own files."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir(_NAME))


def state() -> Path:
    """Log, lock and socket of the engine."""
    home = _home()
    return home / "state" if home else Path(platformdirs.user_state_dir(_NAME))


def settings_file() -> Path:
    return config() / "settings.toml"


def prices_file() -> Path:
    return config() / "prices.toml"


def user_themes() -> Path:
    return config() / "themes"


def journal_file() -> Path:
    return data() / "journal.db"


def index_file() -> Path:
    return cache() / "index.db"


def engine_lock() -> Path:
    return state() / "engine.lock"


def engine_log() -> Path:
    return state() / "engine.log"


def engine_socket() -> Path:
    """The operator API. Unix socket paths hold about 100 bytes, so a long home falls back to /tmp."""
    path = state() / "engine.sock"
    if len(os.fsencode(path)) < 100:
        return path
    import hashlib

    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    return Path(f"/tmp/cockpit-{os.getuid()}") / f"{digest}.sock"
