"""The long tail: small jobs, each with one thing that a compiler of scripts must understand."""

import csv
import io
import json
from collections import Counter, defaultdict
from datetime import date, timedelta

from tests.architect.worlds import Little

NAMES = ("ada", "barbara", "grace", "katherine", "margaret", "radia", "sophie", "hedy", "joan")
TASKS = []


def task(name, world, prompt="Do it for {day}", **more):
    def add(work):
        TASKS.append(Little(name, world, work, prompt, **more))
        return work

    return add


def page(url, make):
    return lambda day, chance: ({url.format(day=day): make(day, chance)}, {})


def file(path, make):
    return lambda day, chance: ({}, {path.format(day=day): make(day, chance)})


def disks(day, chance):
    return "".join(
        f"/dev/sd{letter} {chance.randint(10, 99)}G {chance.randint(10, 99)}%\n"
        for letter in "abcd"
    )


@task(
    "units",
    page(
        "http://h.local/disk",
        lambda day, chance: {"used": f"{chance.randint(11, 98)}G", "day": str(day)},
    ),
)
def _(hands):
    told = hands.get("http://h.local/disk")
    hands.write(f"disk/{hands.day}.txt", f"Used: {told['used'][:-1]} gigabytes\n")


@task(
    "padded",
    page(
        "http://h.local/issue",
        lambda day, chance: {"issue": chance.randint(3, 180), "title": chance.choice(NAMES)},
    ),
)
def _(hands):
    told = hands.get("http://h.local/issue")
    hands.write(
        f"issues/{told['issue']:04d}.md", f"# Issue {told['issue']:04d}\n\n{told['title']}\n"
    )


def log(day, chance):
    lines = []
    for minute in range(chance.randint(25, 60)):
        level = chance.choice(("INFO", "INFO", "WARN", "ERROR"))
        lines.append(
            f"{day}T01:{minute:02d}:00 {level} {chance.choice(('db', 'web', 'mail'))} said {chance.randint(1, 99)}\n"
        )
    return "".join(lines)


@task("count-errors", file("app.log", log))
def _(hands):
    text = hands.files["app.log"]
    errors = text.count(" ERROR ")
    way = (
        "grep -c ERROR app.log",
        "grep ERROR app.log | wc -l",
        "awk '$2==\"ERROR\"' app.log | wc -l",
    )
    hands.look(way[hands.day.day % 3], f"{errors}\n")
    hands.write(
        f"errors/{hands.day}.txt",
        f"{hands.day}: {errors} errors in {len(text.splitlines())} lines\n",
    )


@task("levels", file("app.log", log))
def _(hands):
    counts = Counter(line.split()[1] for line in hands.read("app.log").splitlines())
    body = "".join(f"{level}: {counts[level]}\n" for level in sorted(counts))
    hands.write(f"levels/{hands.day}.txt", f"Levels {hands.day}\n" + body)


def loads(day, chance):
    return {
        "hosts": [
            {"name": f"host-{letter}", "load": chance.randint(20, 99)} for letter in "abcdefgh"
        ],
        "day": str(day),
    }


@task("threshold", page("http://h.local/load", loads), "Which hosts are over 80 percent on {day}?")
def _(hands):
    over = [one for one in hands.get("http://h.local/load")["hosts"] if one["load"] > 80]
    if not over:
        over = []
    hands.write(
        f"load/{hands.day}.txt",
        f"Load {hands.day}\n" + "".join(f"{one['name']}: {one['load']}\n" for one in over),
    )


def services(day, chance):
    some = chance.sample(
        [f"{env}-{name}" for env in ("prod", "test") for name in ("api", "web", "db", "queue")], 7
    )
    return {
        "services": [
            {"id": one, "version": f"{chance.randint(1, 9)}.{chance.randint(0, 20)}"}
            for one in some
        ]
    }


@task("prefix", page("http://h.local/services", services))
def _(hands):
    kept = [
        one
        for one in hands.get("http://h.local/services")["services"]
        if one["id"].startswith("prod-")
    ]
    kept.sort(key=lambda one: one["id"])
    hands.write(
        f"prod/{hands.day}.md",
        f"# Production {hands.day}\n\n"
        + "".join(f"- {one['id']} {one['version']}\n" for one in kept),
    )


def shop(day, chance):
    people = chance.sample(NAMES, 6)
    customers = {
        "customers": [{"id": 100 + number, "name": one} for number, one in enumerate(people)]
    }
    rows = "".join(
        f"{700 + number},{100 + chance.randint(0, 5)},{chance.randint(11, 400)}\n"
        for number in range(chance.randint(4, 9))
    )
    return {"http://h.local/customers": customers}, {
        f"orders/{day}.csv": "order,customer,total\n" + rows
    }


@task("join", shop)
def _(hands):
    names = {
        str(one["id"]): one["name"] for one in hands.get("http://h.local/customers")["customers"]
    }
    rows = list(csv.DictReader(io.StringIO(hands.read(f"orders/{hands.day}.csv"))))
    hands.write(
        f"named/{hands.day}.csv",
        "order,name,total\n"
        + "".join(f"{row['order']},{names[row['customer']]},{row['total']}\n" for row in rows),
    )


def dues(day, chance):
    return {
        "release": f"v{chance.randint(2, 9)}.{chance.randint(0, 9)}",
        "due": str(day + timedelta(days=chance.randint(3, 60))),
    }


@task("days-left", page("http://h.local/release", dues))
def _(hands):
    told = hands.get("http://h.local/release")
    left = (date.fromisoformat(told["due"]) - hands.day).days
    hands.write(
        f"left/{hands.day}.txt", f"{told['release']} is due on {told['due']}, {left} days left\n"
    )


def tabs(day, chance):
    return "city\ttemp\n" + "".join(
        f"{city}\t{chance.randint(-9, 35)}\n"
        for city in chance.sample(("Oslo", "Rome", "Lima", "Cairo", "Perth"), 5)
    )


@task("tabs", file("in/{day}.tsv", tabs))
def _(hands):
    rows = list(csv.DictReader(io.StringIO(hands.read(f"in/{hands.day}.tsv")), delimiter="\t"))
    hands.write(
        f"out/{hands.day}.csv",
        "city,temp\n"
        + "".join(
            f"{row['city']},{row['temp']}\n" for row in sorted(rows, key=lambda row: row["city"])
        ),
    )


def grades(day, chance):
    return "name,points\n" + "".join(
        f"{name},{chance.randint(10, 100)}\n" for name in chance.sample(NAMES, chance.randint(5, 9))
    )


@task("statistics", file("in/{day}.csv", grades))
def _(hands):
    points = [
        int(row["points"]) for row in csv.DictReader(io.StringIO(hands.read(f"in/{hands.day}.csv")))
    ]
    hands.write(
        f"stats/{hands.day}.txt",
        f"count {len(points)}\nmean {sum(points) / len(points):.2f}\nbest {max(points)}\nworst {min(points)}\n",
    )


@task(
    "share",
    page(
        "http://h.local/tests",
        lambda day, chance: {"passed": chance.randint(100, 400), "total": chance.randint(401, 600)},
    ),
)
def _(hands):
    told = hands.get("http://h.local/tests")
    hands.write(
        f"tests/{hands.day}.txt",
        f"{told['passed']} of {told['total']} passed ({100 * told['passed'] / told['total']:.1f}%)\n",
    )


@task(
    "week",
    page("http://h.local/week", lambda day, chance: {"points": chance.randint(100, 900)}),
    first=date(2026, 2, 6),
    step=7,
)
def _(hands):
    told = hands.get("http://h.local/week")
    hands.write(
        f"weeks/{hands.day:%G-W%V}.md",
        f"# Week {hands.day:%V}, until {hands.day:%A} {hands.day:%d.%m.%Y}\n\n{told['points']} points\n",
    )


def chained(day, chance):
    number = chance.randint(1000, 9999)
    return {
        "http://h.local/latest": {"id": number, "at": str(day)},
        f"http://h.local/item/{number}": {
            "id": number,
            "name": chance.choice(NAMES),
            "size": chance.randint(1000, 99999),
        },
    }, {}


@task("chained", chained)
def _(hands):
    number = hands.get("http://h.local/latest")["id"]
    told = hands.get(f"http://h.local/item/{number}")
    hands.write(f"items/{hands.day}.txt", f"{told['name']} has {told['size']} bytes\n")


def changelog(day, chance):
    old = "# Changelog\n\n" + "".join(
        f"## {day - timedelta(days=back)}\n\n- {chance.choice(NAMES)}\n\n" for back in (1, 2)
    )
    return {
        f"http://h.local/changes/{day}": {
            "changes": [
                f"{chance.choice(('Fix', 'Add', 'Drop'))} {name}"
                for name in chance.sample(NAMES, chance.randint(2, 4))
            ]
        }
    }, {"CHANGELOG.md": old}


@task("changelog", changelog)
def _(hands):
    told = hands.get(f"http://h.local/changes/{hands.day}")["changes"]
    old = hands.read("CHANGELOG.md")
    head, rest = old[:13], old[13:]
    hands.write(
        "CHANGELOG.md",
        head + f"## {hands.day}\n\n" + "".join(f"- {one}\n" for one in told) + "\n" + rest,
    )


def state(day, chance):
    return {
        "http://h.local/now": {
            "version": f"1.{chance.randint(10, 99)}.{chance.randint(0, 9)}",
            "stable": True,
        }
    }, {
        "package.json": json.dumps(
            {
                "name": "thing",
                "version": f"1.{chance.randint(1, 9)}.0",
                "updated": str(day - timedelta(days=1)),
                "private": True,
            },
            indent=2,
        )
        + "\n"
    }


@task("state", state)
def _(hands):
    version = hands.get("http://h.local/now")["version"]
    told = json.loads(hands.read("package.json"))
    told |= {"version": version, "updated": str(hands.day)}
    hands.write("package.json", json.dumps(told, indent=2) + "\n")
    hands.run(f"git add package.json && git commit -m 'Release {version}'")


def views(day, chance):
    return {
        "pages": [
            {"path": f"/{name}", "views": number}
            for name, number in zip(
                chance.sample(NAMES, 8), chance.sample(range(100, 9999), 8), strict=True
            )
        ]
    }


@task("top", page("http://h.local/views?day={day}", views))
def _(hands):
    told = sorted(
        hands.get(f"http://h.local/views?day={hands.day}")["pages"], key=lambda one: -one["views"]
    )[:3]
    hands.write(
        f"top/{hands.day}.md",
        f"# Top 3 of {hands.day}\n\n"
        + "".join(
            f"{place}. {one['path']} ({one['views']:,})\n" for place, one in enumerate(told, 1)
        ),
    )


@task(
    "html",
    page(
        "http://h.local/",
        lambda day, chance: (
            f"<html>\n<title>Shop</title>\n<h1>Price: <b>{chance.randint(100, 999)}.{chance.randint(10, 99)}</b> EUR</h1>\n<p>Stock {chance.randint(10, 99)}</p></html>\n"
        ),
    ),
)
def _(hands):
    text = hands.get("http://h.local/")
    price = text.split("<b>")[1].split("</b>")[0]
    hands.write(f"price/{hands.day}.txt", f"{price} EUR\n")


def customers(day, chance):
    return {
        f"http://h.local/bills/{day}": {
            "bills": [
                {
                    "customer": name,
                    "amount": chance.randint(100, 9000),
                    "number": chance.randint(10000, 99999),
                }
                for name in chance.sample(NAMES, chance.randint(2, 4))
            ]
        }
    }, {}


@task("each-a-file", customers)
def _(hands):
    for one in hands.get(f"http://h.local/bills/{hands.day}")["bills"]:
        hands.write(
            f"bills/{hands.day}/{one['customer']}.txt",
            f"Bill {one['number']}\nAmount: {one['amount']}\n",
        )


@task(
    "two-lists",
    page(
        "http://h.local/board",
        lambda day, chance: {
            "day": str(day),
            "done": [f"T-{chance.randint(100, 999)}" for _ in range(chance.randint(2, 5))],
            "open": [f"T-{chance.randint(100, 999)}" for _ in range(chance.randint(2, 5))],
        },
    ),
)
def _(hands):
    told = hands.get("http://h.local/board")
    hands.write(
        f"board/{hands.day}.md",
        f"# {hands.day}\n\n## Done\n\n"
        + "".join(f"- {one}\n" for one in told["done"])
        + "\n## Open\n\n"
        + "".join(f"- {one}\n" for one in told["open"]),
    )


def sales(day, chance):
    return "region,product,amount\n" + "".join(
        f"{chance.choice(('north', 'south', 'west'))},{chance.choice(('pen', 'ink'))},{chance.randint(10, 900)}.{chance.randint(10, 99)}\n"
        for _ in range(chance.randint(8, 16))
    )


@task("money-table", file("sales/{day}.csv", sales))
def _(hands):
    totals = defaultdict(float)
    for row in csv.DictReader(io.StringIO(hands.read(f"sales/{hands.day}.csv"))):
        totals[row["region"]] += float(row["amount"])
    lines = "".join(
        f"| {one} | {totals[one]:,.2f} |\n" for one in sorted(totals, key=lambda one: -totals[one])
    )
    hands.write(
        f"sales/{hands.day}.md",
        f"# Sales {hands.day}\n\n| Region | Amount |\n|---|---|\n"
        + lines
        + f"\nTotal: {sum(totals.values()):,.2f}\n",
    )


@task(
    "settings",
    file(
        "app.conf",
        lambda day, chance: (
            f"# app\nport={chance.randint(2000, 9000)}\nworkers={chance.randint(10, 64)}\nname=thing\n"
        ),
    ),
)
def _(hands):
    told = dict(line.split("=") for line in hands.read("app.conf").splitlines() if "=" in line)
    hands.write(
        f"conf/{hands.day}.json",
        json.dumps(
            {"date": str(hands.day), "port": int(told["port"]), "workers": int(told["workers"])}
        )
        + "\n",
    )


def days_before(day, chance):
    return {}, {
        f"numbers/{day}.json": json.dumps({"users": chance.randint(1000, 9000)}),
        f"numbers/{day - timedelta(days=1)}.json": json.dumps(
            {"users": chance.randint(1000, 9000)}
        ),
    }


@task("delta", days_before)
def _(hands):
    now = json.loads(hands.read(f"numbers/{hands.day}.json"))["users"]
    then = json.loads(hands.read(f"numbers/{hands.day - timedelta(days=1)}.json"))["users"]
    hands.write(f"delta/{hands.day}.txt", f"{now} users, {now - then:+d} since yesterday\n")


def sections(day, chance):
    return {
        "teams": [
            {
                "team": name,
                "items": [f"I-{chance.randint(100, 999)}" for _ in range(chance.randint(2, 3))],
            }
            for name in chance.sample(("red", "blue", "green"), chance.randint(2, 3))
        ]
    }


@task("nested", page("http://h.local/teams", sections))
def _(hands):
    told = hands.get("http://h.local/teams")["teams"]
    hands.write(
        f"teams/{hands.day}.md",
        f"# {hands.day}\n"
        + "".join(
            f"\n## {one['team']}\n\n" + "".join(f"- {item}\n" for item in one["items"])
            for one in told
        ),
    )


def details(day, chance):
    some = chance.sample(range(100, 999), chance.randint(2, 4))
    pages = {"http://h.local/open": {"ids": some}}
    return pages | {
        f"http://h.local/ticket/{one}": {
            "id": one,
            "title": f"{chance.choice(NAMES)} {chance.randint(10, 99)}",
        }
        for one in some
    }, {}


@task("details", details)
def _(hands):
    some = hands.get("http://h.local/open")["ids"]
    told = [hands.get(f"http://h.local/ticket/{one}") for one in some]
    hands.write(
        f"tickets/{hands.day}.md",
        f"# Tickets {hands.day}\n\n" + "".join(f"- #{one['id']} {one['title']}\n" for one in told),
    )


@task(
    "ledger",
    lambda day, chance: (
        {"http://h.local/coffee": {"cups": chance.randint(10, 99)}},
        {"coffee.csv": "day,cups\n" + f"{day - timedelta(days=1)},{chance.randint(10, 99)}\n"},
    ),
)
def _(hands):
    hands.append("coffee.csv", f"{hands.day},{hands.get('http://h.local/coffee')['cups']}\n")


@task(
    "json-list",
    page(
        "http://h.local/builds",
        lambda day, chance: {
            "builds": [
                {
                    "id": chance.randint(1000, 9999),
                    "status": chance.choice(("passed", "failed")),
                    "seconds": chance.randint(30, 900),
                }
                for _ in range(9)
            ]
        },
    ),
)
def _(hands):
    told = [
        one for one in hands.get("http://h.local/builds")["builds"] if one["status"] == "failed"
    ]
    hands.write(
        f"failed/{hands.day}.json",
        json.dumps(
            {
                "day": str(hands.day),
                "failed": len(told),
                "builds": [{"id": one["id"], "seconds": one["seconds"]} for one in told],
            },
            indent=2,
        )
        + "\n",
    )


@task(
    "cents",
    page(
        "http://h.local/bill",
        lambda day, chance: {"cents": chance.randint(1000, 99999), "who": chance.choice(NAMES)},
    ),
)
def _(hands):
    told = hands.get("http://h.local/bill")
    hands.write(f"bill/{hands.day}.txt", f"{told['who']} owes {told['cents'] / 100:.2f} EUR\n")


@task(
    "month-report",
    page("http://h.local/month", lambda day, chance: {"visits": chance.randint(10000, 99999)}),
    first=date(2025, 8, 1),
    step=31,
)
def _(hands):
    before = hands.day.replace(day=1) - timedelta(days=1)
    told = hands.get("http://h.local/month")
    hands.write(
        f"months/{before:%Y-%m}.md", f"# {before:%B} {before:%Y}\n\n{told['visits']:,} visits\n"
    )


@task(
    "version-next",
    file(
        "VERSION",
        lambda day, chance: (
            f"{chance.randint(1, 4)}.{chance.randint(0, 9)}.{chance.randint(10, 40)}\n"
        ),
    ),
)
def _(hands):
    major, minor, patch = hands.read("VERSION").strip().split(".")
    hands.write("VERSION", f"{major}.{minor}.{int(patch) + 1}\n")
    hands.run(f"git add VERSION && git commit -m 'Version {major}.{minor}.{int(patch) + 1}'")
