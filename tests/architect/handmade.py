"""Scripts made by hand: right ones, and wrong ones of every kind that must be caught."""

from cockpit.core.script import Capabilities, Script

HEAD = """# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
import argparse, hashlib, http.client, json, os, socket, subprocess, sys
from datetime import date
from pathlib import Path


class Drift(Exception):
    pass


class Denied(Exception):
    pass


OUTPUTS = []


class Broker(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["COCKPIT_BROKER"])


def get(url):
    broker = Broker("broker")
    broker.request("GET", url)
    answer = broker.getresponse()
    body = answer.read().decode()
    if answer.getheader("X-Cockpit-Denied"):
        raise Denied(url)
    if answer.status != 200:
        raise Drift(f"{url}: {answer.status}")
    return body


def check(right, words):
    if not right:
        raise Drift(words)


def write(path, text):
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    OUTPUTS.append({"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    if file.exists() and file.read_text() == text:
        return
    draft = file.with_name(f".{file.name}.draft")
    draft.write_text(text)
    draft.replace(file)


def command(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    check(done.returncode == 0, f"{argv}: {done.stderr}")
    return done.stdout


"""

TAIL = """

def main():
    options = argparse.ArgumentParser()
    options.add_argument("--date", required=True, type=date.fromisoformat)
    day = options.parse_args().date
    try:
        body(day)
    except Drift as drift:
        print(drift, file=sys.stderr)
        return 3
    except Denied as denied:
        print(denied, file=sys.stderr)
        return 5
    except (KeyError, ValueError, TypeError, IndexError) as error:
        print(repr(error), file=sys.stderr)
        return 3
    print(json.dumps({"status": "done", "outputs": OUTPUTS, "sources": [], "skipped": []}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
"""

REPORT = """def body(day):
    told = json.loads(get(f"http://metrics.local/api/v1/daily?date={day}"))
    check(told["date"] == str(day), "the page is of another day")
    check(isinstance(told["visits"], int) and isinstance(told["signups"], int), "not numbers")
    check(told["signups"] >= 20, "signups are out of their band")
    check(1_000 <= told["visits"] <= 900_000, "visits are out of their band")
    check(isinstance(told["error_rate"], float) and 0 < told["error_rate"] < 0.2, "the rate is not one")
    check(1 <= len(told["top_pages"]) <= 14, "too few or too many pages")
    text = f"# Daily report {day}\\n\\n- Visits: {told['visits']:,}\\n- Signups: {told['signups']}\\n"
    text += f"- Error rate: {told['error_rate']:.2%}\\n\\n## Top pages\\n\\n"
    for page in told["top_pages"]:
        check(isinstance(page["views"], int) and page["views"] > 9, "no views")
        check(isinstance(page["path"], str) and page["path"], "no page")
        text += f"- {page['path']}: {page['views']} views\\n"
    write(f"reports/{day}.md", text)
"""

RATES = """def body(day):
    told = json.loads(get(f"http://rates.local/{day}?base=EUR"))
    check(told["base"] == "EUR" and told["day"] == str(day), "the page is of another day")
    usd, gbp = told["rates"]["USD"], told["rates"]["GBP"]
    check(isinstance(usd, float) and 0.5 < usd < 2, "no rate")
    check(isinstance(gbp, float) and 0.5 < gbp < 2, "no rate")
    write(f"rates/{day}.json", json.dumps({"date": str(day), "usd": usd, "gbp": gbp}, indent=2) + "\\n")
    command("git", "add", f"rates/{day}.json")
    if command("git", "diff", "--cached", "--name-only"):
        command("git", "commit", "-q", "-m", f"Rates of {day}")
"""


def script(body: str, capabilities: Capabilities, purpose: str = "by hand") -> Script:
    source = HEAD + body + TAIL
    first = HEAD.count("\n") + 1
    return Script(
        task="handmade",
        purpose=purpose,
        source=source,
        capabilities=capabilities,
        body=(first, first + body.count("\n") - 1),
    )


def report(body: str = REPORT, **changes) -> Script:
    told = {"hosts": ("metrics.local",), "methods": ("GET",), "write": ("reports/*.md",)} | changes
    return script(body, Capabilities(**told), "Write the daily report")


def rates(body: str = RATES, **changes) -> Script:
    told = {
        "hosts": ("rates.local",),
        "methods": ("GET",),
        "write": ("rates/*.json",),
        "commands": ("git add", "git diff", "git commit"),
    }
    return script(body, Capabilities(**(told | changes)), "Commit the rates")
