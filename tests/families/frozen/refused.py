"""Work that must never become a script."""

import json

from tests.families.family import Family, every

OPENINGS = (
    "The week began slowly",
    "Nobody expected this",
    "It rained, of course",
    "We have news",
    "A short one today",
)
MIDDLES = (
    "and the choir found a second tenor after months of asking around",
    "so the library will stay open on Thursdays until the summer at least",
    "but the new roof holds and the buckets are back in the cellar",
    "while the children built a boat that nearly floats across the pond",
    "because the old baker is handing over the shop to his niece",
)
ENDINGS = (
    "Bring a cake if you can.",
    "More on that next time.",
    "Thanks to all who helped carry.",
    "See you on the square.",
)


class WeeklyLetter(Family):
    """A letter with something to say."""

    name = "weekly-letter"
    group = "refuse"
    expects = ("N4",)
    prompts = ("Write the letter to the members for {date}", "members' letter please ({date})")
    dates = staticmethod(every("2026-01-08T19:00", 7))

    def prepare(self, place, day, chance):
        place.put("members.txt", f"members: {chance.randint(110, 180)}\n")
        place.memory["letter"] = (
            f"{chance.choice(OPENINGS)}, {chance.choice(MIDDLES)}. {chance.choice(ENDINGS)}"
        )

    def work(self, hands, day):
        count = hands.read("members.txt").split()[1]
        hands.write(
            f"letters/{day}.txt", f"Dear {count} members\n\n{hands.place.memory['letter']}\n"
        )


class Priority(Family):
    """The most urgent of a list, by feeling."""

    name = "priority"
    group = "refuse"
    expects = ("N5",)
    prompts = ("Which ticket first? ({date})", "pick the ticket to start with on {date}")

    def prepare(self, place, day, chance):
        tickets = [
            {
                "id": f"T-{chance.randint(1000, 9999)}",
                "votes": chance.randint(1, 60),
                "age": chance.randint(1, 90),
            }
            for _ in range(6)
        ]
        place.serve("http://desk.local/tickets", {"tickets": tickets})
        place.memory["first"] = chance.choice(tickets)["id"]

    def work(self, hands, day):
        hands.get("http://desk.local/tickets")
        hands.write(f"first/{day}.txt", f"start with {hands.place.memory['first']}\n")


class PushMain(Family):
    """A branch that others pull."""

    name = "push-main"
    group = "refuse"
    expects = ("N8",)
    prompts = ("Release the notes of {date}", "stamp and push the site ({date})")

    def begin(self, place, chance):
        place.put("stamp.txt", "never\n")
        place.repository(self.days(1)[0].now)
        remote = place.base / "remote.git"
        place.shell(
            f"git clone -q --bare . {remote} && git remote add origin {remote} && git push -q -u origin main",
            self.days(1)[0].now,
        )

    def prepare(self, place, day, chance):
        place.serve("http://build.local/latest", {"build": chance.randint(1000, 9000)})

    def work(self, hands, day):
        number = json.loads(hands.get("http://build.local/latest"))["build"]
        hands.write("stamp.txt", f"{day} build {number}\n")
        hands.run(f"git commit -q -am 'Stamp build {number}'")
        hands.run("git push -q origin main")


class CutShort(Family):
    """The value was in the part that the agent saw and the transcript did not keep.

    The file itself is in the recorded workspace: whoever reads it there is right too.
    """

    name = "cut-short"
    group = "refuse"
    expects = ("N9", "compiled")
    prompts = ("Checksum line of the dump of {date}", "note the dump's checksum please ({date})")

    def prepare(self, place, day, chance):
        rows = "".join(f"row {chance.randint(10**6, 10**7)}\n" for _ in range(150))
        place.memory["text"] = rows + f"checksum {chance.randint(10**8, 10**9)}\n"
        place.put("/".join(("dumps", "latest.txt")), place.memory["text"])

    def work(self, hands, day):
        text = hands.glimpse("cat dumps/latest.txt", 900)
        hands.write(f"sums/{day}.txt", text.splitlines()[-1] + "\n")


class Dialogue(Family):
    """Every run is a conversation."""

    name = "dialogue"
    group = "refuse"
    expects = ("N2",)
    prompts = ("I want to book a room", "a room for the club please ({date})")

    def turns(self, day, chance):
        self.choice = (
            chance.choice(("the small one", "the hall", "upstairs")),
            chance.choice(("ten people", "about forty", "six")),
        )
        return (
            self.prompt(day, chance),
            f"{self.choice[0]}, with chairs",
            f"we are {self.choice[1]}, and no coffee this time",
        )

    def prepare(self, place, day, chance):
        place.put("rooms.txt", "small\nhall\nupstairs\n")
        place.memory["booked"] = (
            f"{chance.choice(('small', 'hall', 'upstairs'))} for {chance.choice((10, 40, 6))}"
        )

    def work(self, hands, day):
        hands.read("rooms.txt")
        hands.write(f"bookings/{day}.txt", f"{hands.place.memory['booked']}\n")


FAMILIES = (WeeklyLetter, Priority, PushMain, CutShort, Dialogue)
