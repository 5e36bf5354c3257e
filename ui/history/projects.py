"""The routes behind the header's project menu."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from services.library.deletion import Pictures
from services.playground import Playground
from ui.visitors import visitor_of


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    choose: bool = True
    """Whether a new project becomes the visitor's chosen one."""


class DeletedProject(BaseModel):
    """`pictures`: whether its pictures move to the Inbox, or are deleted too."""

    model_config = ConfigDict(extra="forbid")

    pictures: Pictures = "move"


class ChosenProject(BaseModel):
    """`project`: an id, `inbox` or `all`."""

    model_config = ConfigDict(extra="forbid")

    project: str


async def projects_of(playground: Playground, visitor: str | None) -> dict[str, Any]:
    """`projects`, sorted by name, and `project`, the visitor's choice: an id, `inbox` or `all`."""
    scope = playground.scope(visitor)
    projects = await playground.pools.reads(playground.projects.of, scope)
    chosen = await playground.pools.reads(playground.projects.chosen, visitor, scope)
    return {"projects": [asdict(project) for project in projects], "project": chosen}


def project_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/projects")

    @router.get("")
    async def projects(request: Request) -> dict[str, Any]:
        return await projects_of(playground, visitor_of(request))

    @router.post("")
    async def make(request: Request, body: Named) -> dict[str, Any]:
        """Make a project; `made` is the new one, beside the answer of `projects_of`."""
        visitor = _known(request)
        scope = playground.scope(visitor)
        made = await playground.pools.writes(playground.projects.make, visitor, scope, body.name)
        if body.choose:
            await playground.pools.writes(playground.projects.choose, visitor, scope, made.id)
        return {**await projects_of(playground, visitor), "made": asdict(made)}

    @router.post("/choose")
    async def choose(request: Request, body: ChosenProject) -> dict[str, Any]:
        visitor = _known(request)
        await playground.pools.writes(playground.projects.choose, visitor, playground.scope(visitor), body.project)
        return await projects_of(playground, visitor)

    @router.post("/{project_id}/name")
    async def rename(request: Request, project_id: str, body: Named) -> dict[str, Any]:
        visitor = _known(request)
        await playground.pools.writes(playground.projects.rename, playground.scope(visitor), project_id, body.name)
        return await projects_of(playground, visitor)

    @router.post("/{project_id}/delete")
    async def delete(request: Request, project_id: str, body: DeletedProject) -> dict[str, Any]:
        """`count`: how many pictures were moved to the Inbox or deleted, beside the answer of `projects_of`."""
        visitor = _known(request)
        count = await playground.delete_project(visitor, project_id, body.pictures)
        return {**await projects_of(playground, visitor), "count": count}

    @router.post("/{project_id}/restore")
    async def restore(request: Request, project_id: str) -> dict[str, Any]:
        visitor = _known(request)
        await playground.restore_project(visitor, project_id)
        return await projects_of(playground, visitor)

    return router


def _known(request: Request) -> str:
    visitor = visitor_of(request)
    if visitor is None:
        raise HTTPException(401, "Open the page first: a project belongs to its visitor.")
    return visitor
