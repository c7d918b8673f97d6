"""A landing page is kept as a draft with the hash of exactly its bytes, and with what became of every attempt."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from studio import assets
from studio.database.connection import Database
from studio.landing import drafts
from studio.landing.design import Landing, Variant
from studio.landing.directions import BY_KEY
from studio.landing.problems import Problem
from studio.storage.folder import FolderStorage
from studio.text import sha256_hex
from tests.support.landing import page, prepared
from tests.support.queue import make_project


def variant(index: int, **changes: object) -> Variant:
    values = {
        "index": index,
        "direction": BY_KEY["riso"],
        "html": "",
        "model": "sandbox",
        "problems": (),
        "score": None,
        "feedback": "",
        "improvements": (),
        "failure": "",
        "call_ids": ("c1",),
    }
    return Variant(**{**values, **changes})  # type: ignore[arg-type]


def landing(text: str = "") -> Landing:
    best = variant(
        1,
        html=prepared(page(text)),
        score=62,
        feedback="Strong type. " * 200,
        problems=(Problem("contrast", "Too faint."),),
    )
    return Landing((variant(0, failure="The page was cut off."), best), best, "0123456789abcdef")


def store(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path, lambda path, seconds: f"/files/{path}?{seconds}")


def test_the_draft_is_exactly_the_page(database: Database, tmp_path: Path) -> None:
    storage, project_id, made = store(tmp_path), make_project(database), landing()
    asset = drafts.store(assets.writing(database), storage, project_id, 3, made, uuid4())
    assert (asset.kind, asset.phase, asset.mime_type, asset.status) == ("landing_html", 1, "text/html", "uploaded")
    assert asset.storage_path == f"{project_id}/phase-1/v3/landing.html"
    assert assets.content(storage, asset) == made.data
    assert asset.content_hash == made.content_hash == sha256_hex(made.html)


def test_the_draft_says_where_it_comes_from(database: Database, tmp_path: Path) -> None:
    made, job_id = landing(), uuid4()
    asset = drafts.store(assets.writing(database), store(tmp_path), make_project(database), 1, made, job_id)
    kept = asset.metadata
    assert (kept["variant_index"], kept["design_score"], kept["design_pass"]) == (1, 62, False)
    assert kept["style_direction"] == "Two-colour print"
    assert kept["generation_context"] == "0123456789abcdef"
    assert kept["generation_run_id"] == str(job_id)
    assert kept["generator_model"] == "sandbox"
    assert kept["selected_variant"] is True
    assert len(kept["design_feedback"]) <= 1200
    assert kept["design_feedback"].startswith("Measured: Too faint. Strong type.")
    assert [entry["outcome"] for entry in kept["variants"]] == [
        "Variant 1 (Two-colour print) failed: The page was cut off.",
        "Variant 2 (Two-colour print) scored 62 with 1 measured problems; it did not pass.",
    ]


def test_the_same_page_again_is_the_same_asset_and_another_one_overwrites_nothing(
    database: Database, tmp_path: Path
) -> None:
    storage, project_id = store(tmp_path), make_project(database)
    first = drafts.store(assets.writing(database), storage, project_id, 1, landing(), uuid4())
    again = drafts.store(assets.writing(database), storage, project_id, 1, landing(), uuid4())
    other = drafts.store(assets.writing(database), storage, project_id, 1, landing("<p>Other.</p>"), uuid4())
    assert again.id == first.id
    assert other.id != first.id
    assert assets.content(storage, first) == landing().data
