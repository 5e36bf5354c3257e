"""The lossless record of a run: one JSON object that goes into the file beside the `parameters` text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.request import ENDPOINT, MODEL_NAME
from services.run import Engine, Run

PRODUCT = f"{MODEL_NAME} Playground"
FORMAT = 1
"""Grows when a reader of the record has to change. A new parameter does not: it appears in `request` by itself."""

RECORD_KEY = "Playground"
"""Name of the record: a PNG keyword. JPEG and WebP carry it in XMP (see xmp.py)."""
TEXT_KEY = "parameters"
"""AUTOMATIC1111's PNG keyword, which the field's tools write and read."""
COMMENT_KEY = "UserComment"
"""The same text's place in Exif. Cameras write other things there, so that it must look like settings to count."""

TEXT_MAX = 4 * 2**20
"""Bytes of one text in a file; a larger one is left unread, and that is said."""

_NOT_FOR_XML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Beyond what JSON escapes itself: what XML 1.0 (section 2.2) forbids or advises against."""


@dataclass(frozen=True)
class Embedded:
    """What a file carries: PNG keyword (or a name of this module) → text. `notes` are sentences."""

    texts: dict[str, str]
    notes: tuple[str, ...] = ()


class Record(BaseModel):
    """All that making the picture again needs, and where it came from. Nothing that tells who asked."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    product: str = PRODUCT
    format: int = FORMAT
    endpoint: str = ENDPOINT
    request: dict[str, Any]
    """Every field of GenerationRequest, as it was asked for; checked where it is read."""
    seed: int | None = None
    """The seed used; where fal used another than asked for, this is the one that makes the picture again."""
    request_id: str | None = None
    engine: Engine | None = None
    created_at: datetime | None = None
    cost_usd: float | None = None
    """What it was billed or estimated at, in US dollars."""

    @staticmethod
    def of(run: Run) -> Record:
        return Record(
            request=run.request.model_dump(mode="json"),
            seed=run.seed,
            request_id=run.ticket.request_id if run.ticket else None,
            engine=run.engine,
            created_at=run.created_at,
            cost_usd=run.cost_usd,
        )

    def to_json(self) -> str:
        """One line without any character that XML refuses: it stands in a PNG chunk and in XMP alike."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
        return _NOT_FOR_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    @staticmethod
    def from_json(text: str) -> Record | None:
        """None where the text is no record of this product."""
        try:
            record = Record.model_validate(parse_json(text))
        except ValidationError:
            return None
        return record if record.product == PRODUCT else None


def parse_json(text: object) -> Any:
    """Any JSON value of a text that came from outside; None where it is none.

    Integers that nobody can mean, and NaN, stay text: long ones take Python quadratic time to read.
    """
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        return None
    try:
        return json.loads(
            text, parse_int=lambda digits: int(digits) if len(digits) < 40 else digits, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
