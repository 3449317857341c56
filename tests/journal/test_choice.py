"""A theme chosen on the screen stands in the settings, and nothing else changes there."""

import stat

import pytest

from cockpit.journal import settings
from cockpit.journal.choice import keep_theme

WRITTEN = """# mine
day_cap = "150usd"   # a day
theme = 'paper'  # for the office

[keys]
"table.sort" = "s"
"""


def test_only_the_value_changes(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(WRITTEN)
    keep_theme(path, "in-time")
    assert path.read_text() == WRITTEN.replace("'paper'", '"in-time"')


def test_a_missing_theme_goes_before_the_tables(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(WRITTEN.replace("theme = 'paper'  # for the office\n", ""))
    keep_theme(path, "paper")
    assert settings.load(path).theme == "paper"
    assert settings.load(path).keys == {"table.sort": "s"}
    assert path.read_text().startswith("# mine\nday_cap")


def test_a_missing_file_is_made_for_its_owner_only(tmp_path):
    path = tmp_path / "config" / "settings.toml"
    keep_theme(path, "terminal")
    assert path.read_text() == 'theme = "terminal"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "dotfiles").mkdir()
    real, path = tmp_path / "dotfiles" / "cockpit.toml", tmp_path / "settings.toml"
    real.write_text(WRITTEN)
    path.symlink_to(real)
    keep_theme(path, "cockpit")
    assert path.is_symlink()
    assert settings.load(real).theme == "cockpit"


@pytest.mark.parametrize("odd", ["broken = [", '"theme" = "paper"\n', 'theme = """paper"""\n'])
def test_what_is_not_understood_is_left_alone(tmp_path, odd):
    path = tmp_path / "settings.toml"
    path.write_text(odd)
    with pytest.raises(settings.SettingsError):
        keep_theme(path, "in-time")
    assert path.read_text() == odd
