"""Other makers' agents: where they write, what it means, how they are recognised and interrupted."""
