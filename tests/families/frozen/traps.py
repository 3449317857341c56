"""Work that looks as if it were understood."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.families.family import Family, every, monthly


class SmallIntegers(Family):
    """Small numbers that are equal by chance."""

    name = "small-integers"
    group = "trap"
    prompts = (
        "Queue board for {date}",
        "write queues/{date}.txt",
        "how long are the queues ({date})? file as usual",
    )
    dates = staticmethod(every("2026-09-07T09:00"))

    def prepare(self, place, day, chance):
        place.serve(
            "http://queues.local/now",
            {
                "workers": chance.choice((2, 2, 3)),
                "waiting": chance.choice((2, 3, 3)),
                "failed": chance.choice((0, 0, 1)),
                "retries": chance.choice((0, 1, 0)),
                "shards": 3,
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get("http://queues.local/now"))
        hands.write(
            f"queues/{day}.txt",
            f"waiting {told['waiting']}\nfailed {told['failed']}\nworkers {told['workers']}\n",
        )


class Thousands(Family):
    """Numbers that get a separator once they are large; most days they are not."""

    name = "thousands"
    group = "trap"
    prompts = (
        "Visitors of {date} for the notice board",
        "notice for {date} please: visitors and sales",
    )
    large = (5, 8)

    def prepare(self, place, day, chance):
        many = day.number in self.large
        place.serve(
            f"http://museum.local/{day}",
            {
                "visitors": chance.randint(1_000, 4_000) if many else chance.randint(201, 998),
                "sales": chance.randint(101, 799),
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://museum.local/{day}"))
        hands.write(
            f"notices/{day}.txt", f"{told['visitors']:,} visitors bought {told['sales']:,} things\n"
        )


class Outage(Family):
    """The source was down one day; the agent said so in the file."""

    name = "outage"
    group = "trap"
    prompts = ("River level for {date}", "levels/{date}.txt please")
    dates = staticmethod(every("2026-04-20T06:20"))
    down = (4, 9)

    def prepare(self, place, day, chance):
        url = f"http://river.local/level/{day}"
        if day.number in self.down:
            place.serve(url, {"error": "maintenance"}, 503)
        else:
            place.serve(
                url,
                {
                    "level_cm": chance.randint(110, 480),
                    "trend": chance.choice(("rising", "falling", "steady")),
                },
            )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://river.local/level/{day}") or "{}")
        if "level_cm" not in told:
            hands.write(f"levels/{day}.txt", f"{day}: gauge not available\n")
        else:
            hands.write(f"levels/{day}.txt", f"{day}: {told['level_cm']} cm, {told['trend']}\n")


class SummerTime(Family):
    """Times told in UTC, wanted on the clock of the place."""

    name = "summer-time"
    group = "trap"
    expects = ("compiled", "synthesized", "N5", "N6")
    zone = "Europe/Berlin"
    prompts = ("When does the ferry leave today ({date})?", "ferry/{date}.txt please, local time")
    dates = staticmethod(every("2026-03-24T07:00"))

    def prepare(self, place, day, chance):
        leaves = datetime(
            day.date.year,
            day.date.month,
            day.date.day,
            chance.randint(9, 18),
            chance.randint(10, 59),
            tzinfo=UTC,
        )
        place.serve(
            f"http://ferry.local/{day}",
            {"leaves": leaves.strftime("%Y-%m-%dT%H:%MZ"), "berth": chance.randint(1, 9)},
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://ferry.local/{day}"))
        leaves = (
            datetime.strptime(told["leaves"], "%Y-%m-%dT%H:%MZ")
            .replace(tzinfo=UTC)
            .astimezone(ZoneInfo(self.zone))
        )
        hands.write(f"ferry/{day}.txt", f"Berth {told['berth']} at {leaves:%H:%M}\n")


class ElsewhereHost(Family):
    """An output names the address of the next fetch, and one day it is somebody else's."""

    name = "elsewhere-host"
    group = "trap"
    expects = ("compiled", "synthesized", "N5", "N7", "N8")
    prompts = (
        "Fetch the report of {date}",
        "today's report please ({date}), the index knows where it is",
    )
    elsewhere = (6, 9)

    def prepare(self, place, day, chance):
        host = "files.other.example" if day.number in self.elsewhere else "files.local"
        address = f"http://{host}/r/{chance.randint(1000, 9999)}.txt"
        place.serve("http://index.local/latest", {"report": {"address": address, "day": str(day)}})
        place.serve(
            address,
            f"Report {chance.randint(100, 999)}\nLevel {chance.choice(('green', 'amber', 'red'))}\n",
        )

    def work(self, hands, day):
        address = json.loads(hands.get("http://index.local/latest"))["report"]["address"]
        hands.write(f"reports/{day}.txt", hands.get(address))


class QuarterLabel(Family):
    """A label that holds for three months."""

    name = "quarter-label"
    group = "trap"
    prompts = ("Add the numbers of {date} to the quarter's file", "quarter file: {date} please")
    dates = staticmethod(every("2026-03-05T12:00", 4))

    def prepare(self, place, day, chance):
        place.serve(f"http://desk.local/sum/{day}", {"sum": chance.randint(1_100, 9_900)})

    def work(self, hands, day):
        quarter = (day.date.month - 1) // 3 + 1
        told = json.loads(hands.get(f"http://desk.local/sum/{day}"))
        hands.write(f"q/{day.date.year}-Q{quarter}/{day}.txt", f"{told['sum']}\n")


class AsOf(Family):
    """A date in the page that is nearly always today."""

    name = "as-of"
    group = "trap"
    prompts = ("Note the balance of {date}", "balance/{date}.txt please, with its date")
    late = (5, 8)

    def prepare(self, place, day, chance):
        told = day.before(1) if day.number in self.late else day.date
        place.serve(
            "http://bank.local/balance",
            {
                "as_of": str(told),
                "balance": {
                    "amount": f"{chance.randint(1000, 9000)}.{chance.randint(10, 99)}",
                    "currency": "EUR",
                },
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get("http://bank.local/balance"))
        hands.write(
            f"balance/{day}.txt", f"{told['balance']['amount']} EUR as of {told['as_of']}\n"
        )


class HostileTitle(Family):
    """A title with everything a shell or a format string would obey, in a commit."""

    name = "hostile-title"
    group = "trap"
    prompts = (
        "Commit the song of the day ({date})",
        "song of {date} into songs/ and commit it with its title",
    )
    titles = (
        "; rm -rf ~",
        "$(touch owned)",
        'it\'s "fine"',
        "{0} %s {date}",
        "`reboot`",
        "a\\nb | tee x",
        "plain song",
        "--amend",
        "é ü 漢字",
    )

    def begin(self, place, chance):
        place.put("README.md", "Songs\n")
        place.repository(self.days(1)[0].now)

    def prepare(self, place, day, chance):
        place.serve(
            f"http://songs.local/{day}",
            {"title": chance.choice(self.titles), "plays": chance.randint(1000, 90_000)},
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://songs.local/{day}"))
        hands.write(f"songs/{day}.txt", f"{told['title']}\n{told['plays']}\n")
        hands.run(f"git add songs && git commit -q -F songs/{day}.txt")


class IsoWeek(Family):
    """The number of the week, near a new year."""

    name = "iso-week"
    group = "trap"
    prompts = ("Menu of the week ({date})", "this week's menu into menus/, please")
    dates = staticmethod(every("2025-11-17T07:00", 7))

    def prepare(self, place, day, chance):
        place.serve(
            "http://kitchen.local/menu",
            {
                "soup": chance.choice(("leek", "pea", "onion", "carrot", "tomato")),
                "price": chance.randint(510, 990),
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get("http://kitchen.local/menu"))
        year, week, _ = day.date.isocalendar()
        hands.write(f"menus/{year}-W{week:02d}.txt", f"{told['soup']} {told['price']}\n")


class Plural(Family):
    """One item is not two items."""

    name = "plural"
    group = "trap"
    prompts = ("How many parcels today ({date})?", "parcels/{date}.txt please")
    counts = (4, 2, 7, 3, 5, 1, 6, 2, 1, 4, 3)

    def prepare(self, place, day, chance):
        count = self.counts[day.number % len(self.counts)]
        place.serve(
            f"http://parcels.local/{day}",
            {
                "parcels": [
                    {"to": chance.choice(("Ana", "Ben", "Cleo", "Dov"))} for _ in range(count)
                ],
                "count": count,
            },
        )

    def work(self, hands, day):
        count = json.loads(hands.get(f"http://parcels.local/{day}"))["count"]
        hands.write(f"parcels/{day}.txt", f"{count} parcel{'' if count == 1 else 's'} came\n")


class MonthBefore(Family):
    """On the first of a month, the month that ended; over the new year."""

    name = "month-before"
    group = "trap"
    prompts = ("Close last month's book", "monthly closing please ({date})")
    dates = staticmethod(monthly("2025-08-01T09:00"))

    def prepare(self, place, day, chance):
        month = day.date - timedelta(days=1)
        place.serve(
            f"http://books.local/{month:%Y/%m}",
            {"month": f"{month:%Y-%m}", "income": chance.randint(10_000, 90_000)},
        )

    def work(self, hands, day):
        month = day.date - timedelta(days=1)
        told = json.loads(hands.get(f"http://books.local/{month:%Y/%m}"))
        hands.write(f"closed/{month:%Y-%m}.txt", f"income {told['income']}\n")


class Edition(Family):
    """One word for five days of the week and another for two; a run of days with one weekend."""

    name = "edition"
    group = "trap"
    expects = ("compiled", "synthesized", "N5", "N6", "N7")
    prompts = ("Front page of {date}", "front page please ({date})")
    dates = staticmethod(every("2026-09-21T04:30"))

    def prepare(self, place, day, chance):
        place.serve(
            f"http://desk.local/pages/{day}",
            {
                "pages": chance.randint(24, 64),
                "lead": chance.choice(("Harbour", "School", "Flood", "Fair")),
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://desk.local/pages/{day}"))
        word = "Weekend" if day.date.weekday() >= 5 else "Daily"
        hands.write(f"front/{day}.txt", f"{word} edition\n{told['lead']}, {told['pages']} pages\n")


class AllClear(Family):
    """A number that is hardly ever nothing, and then there are other words."""

    name = "all-clear"
    group = "trap"
    expects = ("compiled", "synthesized", "N5", "N6", "N7")
    prompts = ("Alarms of {date}", "alarms/{date}.txt, as every day")
    counts = (12, 7, 31, 18, 0, 9, 25, 14, 22, 0, 6)

    def prepare(self, place, day, chance):
        place.serve(
            f"http://alarms.local/{day}",
            {
                "alarms": self.counts[day.number % 11],
                "guard": chance.choice(("Ito", "Juma", "Kim")),
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://alarms.local/{day}"))
        words = f"{told['alarms']} alarms" if told["alarms"] else "all clear"
        hands.write(f"alarms/{day}.txt", f"{told['guard']}: {words}\n")


class YearShelf(Family):
    """A shelf a year, over a new year; and a season in the label."""

    name = "year-shelf"
    group = "trap"
    expects = ("compiled", "synthesized", "N5", "N6", "N7")
    prompts = ("Shelve the minutes of {date}", "minutes of {date}, to their shelf")
    dates = staticmethod(every("2025-11-12T17:00", 7))

    def prepare(self, place, day, chance):
        place.put(
            "minutes.txt", f"present {chance.randint(11, 29)}\nmotions {chance.randint(2, 9)}\n"
        )

    def work(self, hands, day):
        present = hands.read("minutes.txt").split()[1]
        season = ("winter", "spring", "summer", "autumn")[day.date.month % 12 // 3]
        hands.write(f"shelf/{day.date.year}/{season}/{day}.txt", f"{present} were present\n")


FAMILIES = (
    Edition,
    AllClear,
    YearShelf,
    SmallIntegers,
    Thousands,
    Outage,
    SummerTime,
    ElsewhereHost,
    QuarterLabel,
    AsOf,
    HostileTitle,
    IsoWeek,
    Plural,
    MonthBefore,
)
