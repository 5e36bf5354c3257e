"""How long a test waits for what must come: a busy machine is no bug. Who expects that nothing comes waits shorter."""

from __future__ import annotations

PATIENCE_SECONDS = 60.0
