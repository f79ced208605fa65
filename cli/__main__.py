"""`python -m cli`: the `freehold` command."""

from cli.app import main

if __name__ == "__main__":
    main()
