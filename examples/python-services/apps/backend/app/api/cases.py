# SPDX-License-Identifier: MIT
"""Cases: made and read, as lex-intel-backend does."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response

from app.database import async_session
from app.models import Case
from shared import schemas
from shared.errors import ConflictError

router = APIRouter(tags=["cases"])


@router.post("/cases", status_code=201, response_model=schemas.Case)
async def create_case(case: schemas.CaseCreate, response: Response) -> Case:
    async with async_session() as db:
        made = Case(**case.model_dump(exclude_none=True))
        db.add(made)
        try:
            await db.commit()
        except ConflictError:
            raise HTTPException(409, f'There is already a case with the id "{case.id}".') from None
        await db.refresh(made)
    response.headers["Location"] = f"/cases/{quote(made.id, safe='')}"
    return made


@router.get("/cases/{case_id}", response_model=schemas.Case)
async def get_case(case_id: str) -> Case:
    async with async_session() as db:
        case = await db.get(Case, case_id)
    if case is None:
        raise HTTPException(404, f'There is no case with the id "{case_id}".')
    return case
