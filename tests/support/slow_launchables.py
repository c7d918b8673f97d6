"""The jobs of `launchables`, after a while: code that takes long to load."""

import time

from tests.support.launchables import defs as defs

# Longer than a server that ends waits for its templates.
LOADING_SECONDS = 7.0

time.sleep(LOADING_SECONDS)
