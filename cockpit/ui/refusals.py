"""What a refusal means and what would change it: the codes N1 to N12 in words for people."""

from msgspec import Struct

from cockpit.core.script import Refusal


class Words(Struct, frozen=True):
    """`short` fits into a table, `why` says what is so, `instead` what can be done about it."""

    short: str
    why: str
    instead: str


WORDS: dict[str, Words] = {
    "N1": Words(
        "too few runs",
        "Fewer than three runs ended well: with so few, chance looks like a rule.",
        "Nothing is to be done: it is looked at again after every run.",
    ),
    "N2": Words(
        "a conversation",
        "You told the agent something new on the way, in more than one turn.",
        "What you say there is part of the work. It stays with you and the agent.",
    ),
    "N3": Words(
        "answers in words",
        "Nothing is left behind but the agent's answer: no file, no commit, no call.",
        "Have the answer written to a file, and it can be compared. Or build it all the same with b.",
    ),
    "N4": Words(
        "the agent's own words",
        "This text stands in nothing that the agent read: it was written by judgement.",
        "That is what an agent is for. A script could only repeat what was once true.",
    ),
    "N5": Words(
        "a free choice",
        "The value is one of several that were there, and no rule picks the right one in every run.",
        "If there is a rule, put it into the task's words or into a file that the agent reads.",
    ),
    "N6": Words(
        "worked out by the model",
        "The value stands in no output: the model computed it.",
        "One call to a strong model may write it as a pure function, proven on runs it has not seen.",
    ),
    "N7": Words(
        "goes two ways",
        "Some runs did something else, and nothing that was read says when.",
        "More runs of the rarer way may show what decides.",
    ),
    "N8": Words(
        "cannot be undone",
        "It pushes, publishes, mails, pays or deletes outside of its own files.",
        "A script must not do this unseen. It stays with the agent, and with your yes.",
    ),
    "N9": Words(
        "evidence is missing",
        "What the value comes from was cut short, or summarised by a model, before anyone could keep it.",
        "Runs started with cockpit run keep whole outputs: three of them are enough.",
    ),
    "N10": Words(
        "does not pay",
        "Over 90 days a script would cost more than the runs it replaces.",
        "It is looked at again when it runs more often or costs more.",
    ),
    "N11": Words(
        "a secret would leak",
        "A key, a token or a password would stand in the script's text.",
        "Give the agent the secret by its name, and the script can ask for it by its name too.",
    ),
    "N12": Words(
        "nothing varies",
        "Every run did exactly the same with the same values: this repeats one deed, it does no task.",
        "If that is what you want, build it all the same with b.",
    ),
}  # fmt: skip
UNKNOWN = Words("refused", "The architect refuses it.", "")


def words_of(refusal: Refusal | None) -> Words:
    """The words of a refusal's code."""
    return WORDS.get(refusal.code, UNKNOWN) if refusal is not None else UNKNOWN
