"""Work that was done once."""

from tests.families.family import Family


class Once(Family):
    group = "once"
    expects = ("N1",)
    runs = 1


class FixTypo(Once):
    name = "fix-typo"
    prompts = ("There is a typo in docs/intro.md, 'recieve', please fix",)

    def begin(self, place, chance):
        place.put("docs/intro.md", "You will recieve a mail.\n")
        place.repository(self.days(1)[0].now)

    def work(self, hands, day):
        hands.seek("grep -rn recieve docs", "grep -n recieve docs/intro.md")
        hands.run("sed -i 's/recieve/receive/' docs/intro.md")
        hands.run("git commit -q -am 'Fix a typo in the introduction'")


class RenameModule(Once):
    name = "rename-module"
    prompts = ("Rename the module helpers to text_shapes everywhere",)

    def begin(self, place, chance):
        place.put("app/helpers.py", "def upper(text):\n    return text.upper()\n")
        place.put("app/main.py", "from app.helpers import upper\nprint(upper('x'))\n")

    def work(self, hands, day):
        hands.read("app/main.py")
        hands.run("mv app/helpers.py app/text_shapes.py")
        hands.run("sed -i 's/app.helpers/app.text_shapes/' app/main.py")


class ParseLog(Once):
    name = "parse-log"
    prompts = ("Which address made the most requests in access.log?",)

    def begin(self, place, chance):
        place.put(
            "access.log", "".join(f"10.0.0.{chance.randint(1, 9)} GET /\n" for _ in range(60))
        )

    def work(self, hands, day):
        hands.run("cut -d' ' -f1 access.log | sort | uniq -c | sort -rn | head -3")


class NewPage(Once):
    name = "new-page"
    prompts = ("Add an empty page 'Imprint' to the site",)

    def begin(self, place, chance):
        place.put("site/index.html", "<h1>Home</h1>\n")

    def work(self, hands, day):
        hands.read("site/index.html")
        hands.write("site/imprint.html", "<h1>Imprint</h1>\n")


class CheckLicence(Once):
    name = "check-licence"
    prompts = ("Does any dependency have a copyleft licence?",)

    def begin(self, place, chance):
        place.put("deps.txt", "requests Apache-2.0\nrich MIT\npm4py AGPL-3\n")

    def work(self, hands, day):
        hands.read("deps.txt")
        hands.run("grep -i gpl deps.txt")


FAMILIES = (FixTypo, RenameModule, ParseLog, NewPage, CheckLicence)
