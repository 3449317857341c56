"""`python -m cockpit` does what `cockpit` does."""

from cockpit.cli.main import main

if __name__ == "__main__":
    main()
