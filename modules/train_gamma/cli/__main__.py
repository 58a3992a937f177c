"""``python -m train_gamma.cli``."""

import sys

from train_gamma.cli import main

sys.exit(main())
