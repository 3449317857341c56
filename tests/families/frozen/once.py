"""Work that was done once."""

from tests.families.family import Family


class Once(Family):
    group = "once"
    expects = ("N1",)
    runs = 1


class Colours(Once):
    name = "colours"
    prompts = ("Make the header of the site dark green",)

    def begin(self, place, chance):
        place.put("site/style.css", "header { background: #fff }\n")

    def work(self, hands, day):
        hands.read("site/style.css")
        hands.write("site/style.css", "header { background: #064 }\n")


class AddTest(Once):
    name = "add-test"
    prompts = ("Please add a test for the empty basket",)

    def begin(self, place, chance):
        place.put("basket.py", "def total(items):\n    return sum(items)\n")
        place.repository(self.days(1)[0].now)

    def work(self, hands, day):
        hands.read("basket.py")
        hands.write(
            "test_basket.py",
            "from basket import total\n\n\ndef test_empty():\n    assert total([]) == 0\n",
        )
        hands.run("git add -A && git commit -q -m 'Test the empty basket'")


class WhoIsBig(Once):
    name = "who-is-big"
    prompts = ("What takes the space in this folder?",)

    def begin(self, place, chance):
        for name in ("a", "b", "c"):
            place.put(f"store/{name}.bin", "x" * chance.randint(100, 9000))

    def work(self, hands, day):
        hands.run("du -a store | sort -rn | head -3")


class MergeLists(Once):
    name = "merge-lists"
    prompts = ("Merge guests-a.txt and guests-b.txt, no doubles",)

    def begin(self, place, chance):
        place.put("guests-a.txt", "Ana\nBen\n")
        place.put("guests-b.txt", "Ben\nCleo\n")

    def work(self, hands, day):
        hands.read("guests-a.txt")
        hands.read("guests-b.txt")
        hands.write("guests.txt", "Ana\nBen\nCleo\n")


class Explain(Once):
    name = "explain"
    prompts = ("What does deploy.sh do?",)

    def begin(self, place, chance):
        place.put("deploy.sh", "#!/bin/sh\nrsync -a out/ web:/srv/\n")

    def work(self, hands, day):
        hands.read("deploy.sh")


FAMILIES = (Colours, AddTest, WhoIsBig, MergeLists, Explain)
