"""The agents' own control protocols: a word, an interrupt and a question while an agent works."""
