"""Ordered downloads: the browser fetches each from an address that cannot be guessed, for TICKET_SECONDS."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from services.archive.export import Kind
from services.clock import Clock
from services.library.bulk import Chosen
from services.library.scope import Scope

TICKET_SECONDS = 600.0


@dataclass(frozen=True)
class Ticket:
    scope: Scope
    chosen: Chosen | None
    kind: Kind
    made: float
    """The clock's `monotonic()`."""


class Tickets:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tickets: dict[str, Ticket] = {}

    def add(self, scope: Scope, chosen: Chosen | None, kind: Kind) -> str:
        """The new ticket's name."""
        self.sweep()
        name = secrets.token_urlsafe(24)
        self._tickets[name] = Ticket(scope, chosen, kind, self._clock.monotonic())
        return name

    def get(self, name: str) -> Ticket | None:
        """None if the name is unknown or too old."""
        self.sweep()
        return self._tickets.get(name)

    def sweep(self) -> None:
        """Forget tickets that are too old."""
        oldest = self._clock.monotonic() - TICKET_SECONDS
        self._tickets = {name: ticket for name, ticket in self._tickets.items() if ticket.made > oldest}

    def forget(self, visitor: str) -> None:
        """Forget a visitor's tickets: what they would hold is erased."""
        self._tickets = {name: ticket for name, ticket in self._tickets.items() if ticket.scope.visitor != visitor}

    def __len__(self) -> int:
        return len(self._tickets)
