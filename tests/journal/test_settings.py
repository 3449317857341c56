import pytest

from cockpit.core.budget import Budget
from cockpit.journal.settings import Settings, SettingsError, load


def written(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_no_file_is_all_defaults(tmp_path):
    assert load(tmp_path / "none.toml") == Settings()


def test_everything_that_can_be_set(tmp_path):
    path = written(
        tmp_path,
        """
        theme = "paper"
        recent = "8h"
        day_cap = "150usd"
        agents = ["codex"]
        [roots]
        codex = ["/srv/agents"]
        [budget]
        money = "5usd"
        time = "90m"
        [budgets.codex]
        turns = 80
        at_zero = "interrupt"
        [keys]
        "run.interrupt" = "k"
        """,
    )
    settings = load(path)
    assert settings.budget_for("claude-code") == Budget(money=5 * 10**9, time_ms=5_400_000)
    assert settings.budget_for("codex") == Budget(turns=80, at_zero="interrupt")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('\nthem = "x"', ["settings.toml:2", "unknown key 'them'", "did you mean 'theme'?"]),
        ('[budget]\nmony = "5"', ["settings.toml:2", "'budget.mony'", "'money'"]),
        (
            '[budgets.codex]\n\ntokns = "5"',
            ["settings.toml:3", "'budgets.codex.tokns'", "'tokens'"],
        ),
        ("theme = 3", ["settings.toml:1", "Expected `str`"]),
        ('\n[budget]\nmoney = "a lot"', ["settings.toml", "not an amount of money"]),
        ('recent = "soon"', ["settings.toml:1", "not a duration"]),
        ('[budget]\nat_zero = "explode"', ["settings.toml:2", "Invalid enum value 'explode'"]),
        ("poll = 0", ["settings.toml:1", "at least 1 second"]),
        ("theme = ", ["settings.toml", "Invalid value"]),
    ],
)
def test_mistakes_name_file_line_and_what_is_accepted(tmp_path, text, says):
    with pytest.raises(SettingsError) as error:
        load(written(tmp_path, text))
    for part in says:
        assert part in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(path)


def test_providers_and_their_mistakes(tmp_path):
    text = '[providers.mine]\ndialect = "chat"\nbase_url = "https://api.example.com/v1"\nkey = "env MINE"\n'
    mine = load(written(tmp_path, text)).providers["mine"]
    assert (mine.dialect, mine.key) == ("chat", "env MINE")
    for wrong, says in (
        ("dialct = 1", "unknown key 'providers.mine.dialct': did you mean 'dialect'?"),
        ('dialect = "smoke"', "Invalid enum value 'smoke'"),
        ('base_url = "example.com"', "write it like https://"),
        ('base_url = "https://user:secret@example.com"', "keys have their own place"),
        ('key = "sk-1234567890"', "the key itself never stands here"),
    ):
        with pytest.raises(SettingsError) as error:
            load(written(tmp_path, f"\n[providers.mine]\n{wrong}\n"))
        assert "settings.toml:" in str(error.value)
        assert says in str(error.value)
        assert "1234567890" not in str(error.value)
        assert "secret" not in str(error.value)
