"""How other makers' agents are started so that every model call goes through cockpit's gateway."""
