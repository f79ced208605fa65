"""`python -m cli`: the `freehold` command."""

import sys

from errors import INTERRUPTED, ExitCode

if __name__ == "__main__":
    try:
        from cli.app import main
    except KeyboardInterrupt:  # imports take their time
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(ExitCode.FAILED)
    main()
