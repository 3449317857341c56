"""`python -m cockpit.engine`: the background process itself."""

from cockpit.engine.process import main

if __name__ == "__main__":
    main()
