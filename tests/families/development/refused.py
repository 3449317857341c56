"""Work that must never become a script."""

import json

from tests.families.family import Family, every
from tests.families.voices import CLAUDE

MOODS = ("a calm", "a rough", "an unusually good", "a mixed", "a quiet", "a hectic")
CAUSES = (
    "the search fix went out and support noticed it at once",
    "two people were ill, so the migration had to wait another day",
    "we finally closed the oldest bug of the backlog and nobody complained",
    "the release candidate held under load although the cache was cold",
    "most of the time went into interviews and the rest into reviews",
    "a customer found the export slow, and she was right about the reason",
)
HOPES = (
    "tomorrow should bring the second half of it",
    "I would look at the queue first thing in the morning",
    "nothing needs a decision today",
    "the plan still holds if the vendor answers",
)


class Commentary(Family):
    """Prose by somebody who thinks."""

    name = "commentary"
    group = "refuse"
    expects = ("N4",)
    prompts = (
        "Write a short commentary on the day ({date}) from the ticket counts",
        "commentary for {date} please, two sentences",
    )

    def prepare(self, place, day, chance):
        place.serve(
            f"http://tickets.local/{day}",
            {"open": chance.randint(20, 90), "closed": chance.randint(5, 40)},
        )
        place.memory["chance"] = chance

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://tickets.local/{day}"))
        chance = hands.place.memory["chance"]
        text = f"Today was {chance.choice(MOODS)} day: {chance.choice(CAUSES)}; {chance.choice(HOPES)}."
        hands.write(f"commentary/{day}.md", f"# {day}\n\n{told['closed']} closed.\n\n{text}\n")


class Reviewer(Family):
    """Somebody is chosen, by no rule."""

    name = "reviewer"
    group = "refuse"
    expects = ("N5",)
    prompts = (
        "Pick a reviewer for today ({date})",
        "who reviews on {date}? write it to reviews/{date}.txt",
    )
    people = ("ada", "barbara", "grace", "katherine", "margaret", "radia")

    def prepare(self, place, day, chance):
        team = [
            {"login": one, "load": chance.randint(0, 9)} for one in chance.sample(self.people, 6)
        ]
        place.serve("http://team.local/members", {"members": team})
        place.memory["chosen"] = chance.choice(self.people)

    def work(self, hands, day):
        json.loads(hands.get("http://team.local/members"))
        hands.write(f"reviews/{day}.txt", f"reviewer: {hands.place.memory['chosen']}\n")


class Publish(Family):
    """What cannot be taken back: sent to somebody else's service."""

    name = "publish"
    group = "refuse"
    expects = ("N8",)
    prompts = ("Publish the status of {date}", "post today's status to the board please ({date})")

    def prepare(self, place, day, chance):
        place.serve(
            "http://status.local/summary",
            {"day": str(day), "green": chance.randint(30, 60), "red": chance.randint(1, 9)},
        )
        place.serve("http://board.local/posts", {"id": 100 + day.number}, 201, "POST")

    def work(self, hands, day):
        told = json.loads(hands.get("http://status.local/summary"))
        text = f"{day}: {told['green']} green, {told['red']} red"
        hands.write(f"posts/{day}.txt", text + "\n")
        hands.run(f"curl -s -X POST -d @posts/{day}.txt http://board.local/posts")


class AnswerOnly(Family):
    """Questions, answered in the chat."""

    name = "answer-only"
    group = "refuse"
    expects = ("N3",)
    prompts = (
        "How full is the disk today?",
        "check df for me ({date})",
        "disk usage please, anything to worry about?",
    )

    def prepare(self, place, day, chance):
        place.put("df.txt", f"/dev/sda1 {chance.randint(40, 90)}%\n")

    def work(self, hands, day):
        hands.read("df.txt")
        hands.run("wc -c df.txt")


class Summarised(Family):
    """The only source is what a model said of a page."""

    name = "summarised"
    group = "refuse"
    expects = ("N9",)
    agents = (CLAUDE,)
    prompts = (
        "Note the changelog headline of the day ({date})",
        "headline of the vendor changelog for {date} please",
    )
    dates = staticmethod(every("2026-04-01T12:00"))
    words = (
        "Faster cold starts",
        "New region in Oslo",
        "Python 3.14 images",
        "Quota changes",
        "Billing export",
    )

    def prepare(self, place, day, chance):
        place.memory["headline"] = f"{chance.choice(self.words)} ({chance.randint(100, 999)})"
        place.serve(
            "http://vendor.local/changelog", f"<html><h1>{place.memory['headline']}</h1></html>"
        )

    def work(self, hands, day):
        headline = hands.place.memory["headline"]
        hands.summarise("http://vendor.local/changelog", f"The newest entry is titled: {headline}")
        hands.write(f"headlines/{day}.txt", headline + "\n")


FAMILIES = (Commentary, Reviewer, Publish, AnswerOnly, Summarised)
