import pytest
from textual.color import Color

from cockpit.ui import themes
from cockpit.ui.themes import ThemeError, load_all, read

SHIPPED = ("cockpit", "high-contrast", "in-time", "paper", "terminal")


def test_every_shipped_theme_loads():
    loaded = load_all(None)
    assert loaded.notices == []
    assert tuple(sorted(loaded.skins)) == SHIPPED
    assert loaded.skins["in-time"].face == "arm"
    assert not loaded.skins["paper"].theme.dark
    assert loaded.skins["terminal"].theme.ansi


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "terminal"])
@pytest.mark.parametrize("part", ["running", "asks", "stuck", "failed", "waiting", "warm", "clock"])
def test_states_can_be_read_on_their_ground(name, part):
    theme = load_all(None).skins[name].theme
    ground = Color.parse(theme.background)
    assert _contrast(Color.parse(theme.variables[f"part-{part}"]), ground) >= 4.5


def _contrast(one: Color, other: Color) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [value / 255 for value in (color.r, color.g, color.b)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            '[colors]\nprimary = "#56B4E9"\nprimmary = "#000000"',
            "primmary is unknown; nearest is primary",
        ),
        (
            '[colors]\nprimary = "#56B4E9"\n[screen]\nrunnin = "#000"',
            "[screen] runnin is unknown; nearest is running",
        ),
        ('[colors]\nprimary = "blurple"', "[colors] primary = 'blurple' is no color"),
        ("[colors]\nprimary = 3", "[colors] primary = 3 is no color"),
        ('colours = 1\n[colors]\nprimary = "red"', "colours is unknown; nearest is colors"),
        ('dark = "yes"\n[colors]\nprimary = "red"', "dark = 'yes' is neither true nor false"),
        ('clock = "sundial"\n[colors]\nprimary = "red"', "clock = 'sundial'"),
        ("[screen]", "[colors] has no primary"),
        ("colors = 3", "colors is not a table"),
        ("not toml at all", "Expected"),
    ],
)
def test_a_bad_theme_names_file_and_key(tmp_path, content, complaint):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(ThemeError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert complaint in str(error.value)


def test_a_bad_theme_hides_no_other(tmp_path):
    (tmp_path / "bad.toml").write_text("x = 1")
    (tmp_path / "latin.toml").write_bytes(b'[colors]\nprimary = "\xe9"')
    (tmp_path / "good.toml").write_text('[colors]\nprimary = "#56B4E9"')
    loaded = load_all(tmp_path)
    assert "good" in loaded.skins
    assert len(loaded.notices) == 2


def test_the_operators_theme_wins_over_ours(tmp_path):
    (tmp_path / "paper.toml").write_text('[colors]\nprimary = "#123456"')
    assert load_all(tmp_path).skins["paper"].theme.primary == "#123456"
    assert themes.find("paper", tmp_path) == tmp_path / "paper.toml"
    assert themes.find("no-such", tmp_path) is None


def test_what_a_theme_leaves_out_is_filled_in(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text('[colors]\nprimary = "#56B4E9"\nerror = "#FF0000"')
    variables = read(path).theme.variables
    assert variables["part-stuck"] == "#FF0000"
    assert set(variables) >= {f"part-{part}" for part in themes.PARTS}
