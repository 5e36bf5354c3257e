"""The lossless record of a run: one JSON object that is written into the file beside the `parameters` text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.keys import DEFAULT_MODEL
from services.models import registry
from services.run import Engine, Run
from services.version import PRODUCT, VERSION

FORMAT = 1
"""Version of the record; increased when readers have to change. A new parameter in `request` needs no increase."""

RECORD_KEY = "Playground"
"""PNG keyword of the record. JPEG and WebP contain it in XMP (see xmp.py)."""
TEXT_KEY = "parameters"
"""AUTOMATIC1111's PNG keyword, which other tools write and read too."""
COMMENT_KEY = "UserComment"
"""The same text's Exif tag. Cameras write other texts there, so it is used only if it looks like settings."""

TEXT_MAX = 4 * 2**20
"""Bytes of one text in a file. A larger one is not read."""

_NOT_FOR_XML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that XML 1.0 (section 2.2) forbids or advises against, apart from those that JSON escapes anyway."""


@dataclass(frozen=True)
class Embedded:
    """The texts in a file. `texts`: PNG keyword, or one of the keys above → text. `notes` are sentences for users."""

    texts: dict[str, str]
    notes: tuple[str, ...] = ()


class Record(BaseModel):
    """Everything needed to make the picture again, and its origin. Contains nothing about who asked for it."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    product: str = PRODUCT
    format: int = FORMAT
    version: str = VERSION
    """The program's, when it wrote the record."""
    model: str = DEFAULT_MODEL
    """The model's id."""
    endpoint: str = registry.DEFAULT.endpoint
    request: dict[str, Any]
    """Every setting as it was asked for. Validated by `read.py`, not here."""
    seed: int | None = None
    """The seed that was used. It may differ from the one asked for; this one makes the picture again."""
    request_id: str | None = None
    engine: Engine | None = None
    created_at: datetime | None = None
    cost_usd: float | None = None
    """Billed or estimated cost in US dollars."""

    @staticmethod
    def of(run: Run) -> Record:
        return Record(
            model=run.model,
            endpoint=registry.of(run.model).endpoint,
            request=dict(run.request.recorded),
            seed=run.seed,
            request_id=run.ticket.request_id if run.ticket else None,
            engine=run.engine,
            created_at=run.created_at,
            cost_usd=run.cost_usd,
        )

    def to_json(self) -> str:
        """One line without characters that XML forbids, so that a PNG chunk and XMP can hold the same text."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
        return _NOT_FOR_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    @staticmethod
    def from_json(text: str) -> Record | None:
        """None if the text is not a valid record of this product."""
        try:
            record = Record.model_validate(parse_json(text))
        except ValidationError:
            return None
        return record if record.product == PRODUCT else None


def parse_json(text: object) -> Any:
    """Parse JSON from outside; None if it is not JSON, longer than TEXT_MAX, or nested too deeply.

    Integers of 40 characters or more stay strings, since Python needs quadratic time to convert them; so do NaN and the
    infinities.
    """
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        return None
    try:
        return json.loads(
            text, parse_int=lambda digits: int(digits) if len(digits) < 40 else digits, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
