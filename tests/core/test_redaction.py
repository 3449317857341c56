import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.redaction import PIECE, Redactor, known_secrets

KEY = "sk-ant-api03-" + "Ab3_" * 12


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"key is {KEY}.", KEY),
        ("export OPENAI_API_KEY=sk-proj-abcdefghij0123456789", "sk-proj-abcdefghij0123456789"),
        ("ghp_" + "a1B2" * 9, "ghp_" + "a1B2" * 9),
        ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
        ('{"password": "Tr0ub4dor&3xyz"}', "Tr0ub4dor&3xyz"),
        ("{'client_secret': 'q8Zx71LmPw02'}", "q8Zx71LmPw02"),
        ('curl -H "Authorization: Bearer abcdef123456"', "abcdef123456"),
        ('{\\"authorization\\": \\"Bearer abcdef123456\\"}', "abcdef123456"),
        ("postgres://joe:hunter22@db/x", "hunter22"),
        ("https://h/x?api_key=a8d7f6s5d4f3&y=1", "a8d7f6s5d4f3"),
        ("http://127.0.0.1:8080/run/" + "aB3_" * 11 + "/v1/messages", "aB3_" * 11),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEX", "wJalrXUtnFEMI/K7MDENG"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE12\nabc\n-----END RSA PRIVATE KEY-----", "MIIE12"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4", "SflKxwRJSMeKKF2QT4"),
    ],
)
def test_what_looks_like_a_secret_is_replaced(text, secret):
    safe = Redactor().text(text)
    assert secret not in safe
    assert "{{secret:" in safe
    assert Redactor().text(safe) == safe


@pytest.mark.parametrize(
    "text",
    [
        "token = get_token()",
        "password: correct-horse",
        "max_tokens=12345678",
        '"key": "2024-11-02-abc"',
        "API_KEY=$API_KEY",
        'secret: "<your secret here>"',
        "d8e8fca2dc0f896fd7cb4cb0031ba249d8e8fca2 README.md",
        "see https://example.com/run/quickly?id=1",
        "keys: 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    ],
)
def test_what_is_none_stays(text):
    assert Redactor().text(text) == text


def test_known_values_are_found_everywhere():
    redactor = Redactor(known_secrets({"MY_TOKEN": "plain words", "PATH": "/usr/bin:/bin"}))
    told = redactor.value(
        {"a": ["say plain words", 3, None], "plain words": "x", "p": "/usr/bin:/bin"}
    )
    assert told == {
        "a": ["say {{secret:MY_TOKEN}}", 3, None],
        "{{secret:MY_TOKEN}}": "x",
        "p": "/usr/bin:/bin",
    }
    assert redactor.text("?q=plain%20words") == "?q={{secret:MY_TOKEN}}"


def test_only_variables_that_hold_secrets_are_known():
    environment = {
        "OPENAI_API_KEY": "abcdefgh1",
        "DB_PASSWORD": "s3cretpass",
        "SSH_AUTH_SOCK": "/tmp/agent.1",
        "PWD": "/home/somebody",
        "KEYBOARD": "german-de",
        "GITHUB_TOKEN": "none",
        "TOKEN_FILE": "/etc/a-token",
    }
    assert set(known_secrets(environment)) == {"OPENAI_API_KEY", "DB_PASSWORD"}


def test_a_secret_in_a_large_file_is_found_wherever_it_stands():
    line = b"some text that says nothing at all\n"
    for before in (0, 1, PIECE // len(line) - 1, PIECE // len(line), 5 * PIECE // len(line)):
        data = line * before + KEY.encode() + b"\n" + line * 9_000
        safe = Redactor().data(data)
        assert KEY.encode() not in safe
        assert safe.count(b"{{secret:ANTHROPIC_KEY}}") == 1


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_known_value_never_survives(before, after):
    secret = "Zq9-known-value"
    assert secret not in Redactor({"X": secret}).text(before + secret + after)


@given(st.binary(max_size=2_000))
def test_bytes_without_secrets_are_the_same_bytes(data):
    safe = Redactor().data(data)
    assert safe == data or b"{{secret:" in safe
