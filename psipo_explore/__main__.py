"""`python -m psipo_explore` is `psipo`."""

import sys

from psipo_explore.cli import main

if __name__ == "__main__":
    sys.exit(main())
