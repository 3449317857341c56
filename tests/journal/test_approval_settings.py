"""`[approve]` in the settings: what is accepted, and where a mistake is said to be."""

import pytest

from cockpit.core.rules_shipped import SHIPPED
from cockpit.journal.settings import SettingsError, load


def settings(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load(path).approve


def test_without_a_word_the_shipped_rules_are_in_force(tmp_path):
    approve = settings(tmp_path, "")
    assert approve.in_force() == SHIPPED
    assert approve.timeout_s() == 600
    assert approve.default == "deny"


def test_own_rules_come_first_and_shipped_ones_can_go(tmp_path):
    text = '[approve]\noff = ["deploy"]\ntimeout = "90s"\n[[approve.rules]]\nname = "prod"\nhosts = ["*.prod.example"]\n'
    approve = settings(tmp_path, text)
    names = [rule.name for rule in approve.in_force()]
    assert names[0] == "prod"
    assert "deploy" not in names
    assert "git push" in names
    assert approve.timeout_s() == 90
    assert settings(tmp_path, "[approve]\non = false\n").in_force() == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[approve]\nof = ["x"]\n', ":2: unknown key 'approve.of': did you mean 'off'?"),
        ('[approve]\n\noff = ["x"]\n', ":3: off: no rule 'x' is shipped: git push,"),
        ('[approve]\ntimeout = "9h"\n', ":2: timeout: from 1s to 6h"),
        ('[approve]\ndefault = "maybe"\n', ":2: Invalid enum value 'maybe'"),
        (
            '[[approve.rules]]\nname = "a"\ntxt = "x"\n',
            ":3: unknown key 'approve.rules.txt': did you mean 'text'?",
        ),
        (
            '[[approve.rules]]\nname = "a"\ntext = "("\n',
            ":1: rules: rule 'a': text: no regular expression",
        ),
        ('[[approve.rules]]\nname = "a"\n', "rule 'a' has no condition"),
        ("[approve]\nrules = 3\n", ":2: Expected `array`, got `int`"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path, text, said):
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, text)
    assert said in str(refused.value)
