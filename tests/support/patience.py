"""How long a test waits for something that must happen, in seconds: long, because the machine may be busy. A test that
expects nothing to happen waits less.
"""

from __future__ import annotations

PATIENCE_SECONDS = 60.0
