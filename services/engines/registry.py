"""The gateway for each run: with the owner's key, with a visitor's own key, or to the demo engine. Keys are kept only
here, in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from services.clock import SYSTEM, Clock
from services.errors import KeyNeeded
from services.run import Engine, KeyOf, Run
from services.settings import Settings

if TYPE_CHECKING:
    import httpx

    from services.engines.demo.queue import DemoQueue, Paint
    from services.engines.fal.gateway import FalGateway

FORGET_SECONDS = 12 * 3600
"""A visitor's key is forgotten this long after it was last used."""


@dataclass
class _HeldKey:
    key: str = field(repr=False)
    used: float


class Engines:
    def __init__(self, settings: Settings, folder: Path, paint: Paint | None = None, clock: Clock = SYSTEM) -> None:
        """`paint` paints the demo engine's pictures; None: they are painted in a thread of this process."""
        self._paint, self._clock = paint, clock
        self._owner_key = settings.owner_key
        self._default: Engine = settings.engine
        self._demo_step_seconds = settings.playground_demo_step_seconds
        self._folder = folder
        self._visitor_keys: dict[str, _HeldKey] = {}
        self._gateways: dict[str, FalGateway] = {}
        self._demo_queue: DemoQueue | None = None

    def warm_up(self) -> None:
        """Import what the first picture needs. Blocks for a few hundred ms: call it in a thread, after the start."""
        import services.engines.demo.queue
        import services.engines.fal.gateway

        if self._paint is None:
            import services.engines.demo.painting.painter  # noqa: F401

    def choose(self, visitor: str | None) -> tuple[Engine, KeyOf]:
        """The engine for a visitor's next picture, and who pays for it."""
        if self.has_key(visitor):
            return "fal", "visitor"
        return self._default, "owner"

    def has_key(self, visitor: str | None) -> bool:
        """Whether this visitor's own key is known. Forgets a key that was unused for FORGET_SECONDS."""
        held = self._visitor_keys.get(visitor) if visitor else None
        if visitor and held and self._is_old(held):
            self.forget_key(visitor)
            return False
        return held is not None

    def remember_key(self, visitor: str, key: str) -> None:
        self.forget_key(visitor)
        self._visitor_keys[visitor] = _HeldKey(key, self._clock.monotonic())

    def forget_key(self, visitor: str) -> None:
        """Forget the key and drop the gateway that holds it. Runs that are being followed keep that gateway until they
        end.
        """
        self._visitor_keys.pop(visitor, None)
        self._gateways.pop(_visitors_key(visitor), None)

    async def sweep(self) -> None:
        """Forget the keys that were not used for FORGET_SECONDS, and close their connections."""
        unused = [visitor for visitor, held in self._visitor_keys.items() if self._is_old(held)]
        gateways = [self._gateways.get(_visitors_key(visitor)) for visitor in unused]
        for visitor in unused:
            self.forget_key(visitor)
        for gateway in gateways:
            if gateway:
                await gateway.aclose()

    def _is_old(self, held: _HeldKey) -> bool:
        return self._clock.monotonic() - held.used > FORGET_SECONDS

    def key_name(self, run: Run) -> str:
        """A name for the fal key that a run uses, never the key itself. Runs of one key share a gateway and its limit
        of requests in flight.
        """
        return _visitors_key(run.visitor or "") if run.key_of == "visitor" else run.engine

    def gateway(self, run: Run) -> FalGateway:
        """The gateway to the run's engine, with its key. Raises KeyNeeded if that key is not known now."""
        name = self.key_name(run)
        if run.engine == "demo":
            return self._gateway(name, "the demo engine needs no key", demo=True)
        if run.key_of == "visitor":
            if not self.has_key(run.visitor):
                raise KeyNeeded
            held = self._visitor_keys[run.visitor or ""]
            held.used = self._clock.monotonic()
            return self._gateway(name, held.key)
        if self._owner_key is None:
            raise KeyNeeded
        return self._gateway(name, self._owner_key)

    def _gateway(self, name: str, key: str, *, demo: bool = False) -> FalGateway:
        if name not in self._gateways:
            from services.engines.fal.gateway import (
                FalGateway,  # imported here, since fal_client is not needed to start
            )

            self._gateways[name] = FalGateway(
                key, transport=self._demo_transport() if demo else None, clock=self._clock
            )
        return self._gateways[name]

    def _demo_transport(self) -> httpx.AsyncBaseTransport:
        import httpx

        from services.engines.demo.asgi import build_app
        from services.engines.demo.queue import DemoQueue

        self._demo_queue = DemoQueue(
            step_seconds=self._demo_step_seconds, store=self._folder / "demo", paint=self._paint, clock=self._clock
        )
        return httpx.ASGITransport(build_app(self._demo_queue))

    def forget_demo_request(self, request_id: str) -> None:
        """Delete what the demo engine keeps of a request that has ended."""
        if self._demo_queue is not None:
            self._demo_queue.forget(request_id)
        (self._folder / "demo" / f"{request_id}.json").unlink(missing_ok=True)

    async def aclose(self) -> None:
        for gateway in self._gateways.values():
            await gateway.aclose()
        if self._demo_queue is not None:
            await self._demo_queue.aclose()


def _visitors_key(visitor: str) -> str:
    return f"visitor:{visitor}"
