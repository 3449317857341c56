"""`python -m cockpit.agents.channels PLAN`: the driver."""

from cockpit.agents.channels.driver import main

if __name__ == "__main__":
    main()
