"""python -m zseval.zerostate.simulator"""

from __future__ import annotations

import sys

from zseval.zerostate.simulator.command import main

sys.exit(main())
