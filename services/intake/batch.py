"""The requests of one press of Generate: its prompts, each with its seeds."""

from __future__ import annotations

from services.errors import FieldIssue, InvalidRequest
from services.intake import wildcards
from services.models.generation_request import GenerationRequest
from services.models.kinds.integer import SEED_MAX, random_seed

IMAGES_MIN, IMAGES_MAX = 1, 8
PICTURES_MAX = wildcards.WRITTEN_OUT
"""At most this many pictures in one batch if wildcards stand for several prompts."""
COUNTED = 10_000
"""Prompts are counted only up to this number."""


def combinations(prompt: str) -> int:
    """How many prompts a text with wildcards stands for. Above PICTURES_MAX, equal ones may be counted repeatedly, and
    the count ends at COUNTED.
    """
    return min(wildcards.read(prompt).count, COUNTED)


def requests_of(request: GenerationRequest, count: int, *, expand: bool = False) -> list[GenerationRequest]:
    """`count` requests with the seeds seed, seed + 1, …, or with random seeds if it is unset.

    With `expand`, the prompt's wildcards are expanded, and each prompt gets the same seeds, so that the pictures can be
    compared. Raises InvalidRequest.
    """
    seeds = _seeds(request, count)
    return [asked.vary(seed=seed) for asked in (_expanded(request, count) if expand else [request]) for seed in seeds]


def _expanded(request: GenerationRequest, count: int) -> list[GenerationRequest]:
    pictures = combinations(request.prompt) * count
    if pictures > PICTURES_MAX and pictures > count:
        message = f"Prompt: its choices make {pictures:,} pictures, and one press may ask for {PICTURES_MAX}. "
        raise InvalidRequest(
            (FieldIssue(field="prompt", message=message + "Take some choices out, or ask for fewer images."),)
        )
    return [request.vary(prompt=prompt) for prompt in wildcards.read(request.prompt).prompts()]


def _seeds(request: GenerationRequest, count: int) -> list[int]:
    if not IMAGES_MIN <= count <= IMAGES_MAX:
        message = f"Images: {count} is not {IMAGES_MIN} to {IMAGES_MAX}."
        raise InvalidRequest((FieldIssue(field="images", message=message),))
    if request.seed is None:
        return [random_seed() for _ in range(count)]
    if request.seed + count - 1 > SEED_MAX:
        message = f"Seed: {request.seed} leaves no room for {count} pictures; the largest seed is {SEED_MAX}."
        raise InvalidRequest((FieldIssue(field="seed", message=message),))
    return [request.seed + step for step in range(count)]
