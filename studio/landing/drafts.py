"""Keeping a landing page as a draft: an asset that nobody sees until a person has approved exactly its bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studio import assets
from studio.assets import Asset, Write
from studio.landing.design import PROMPT_VERSION, Landing
from studio.storage.base import Storage

PHASE = 1
KIND = "landing_html"
FILENAME = "landing.html"
MIME_TYPE = "text/html"


def store(write: Write, storage: Storage, project_id: UUID, version: int, landing: Landing, job_id: UUID) -> Asset:
    """Store the best variant as the draft of packet `version`; return its asset, whose hash an approval pins.

    `write` is the claim's (`claim.write`). Storing the same page again gives the same asset.
    """
    return assets.store(
        write,
        storage,
        project_id,
        phase=PHASE,
        kind=KIND,
        path=f"{project_id}/phase-{PHASE}/v{version}/{FILENAME}",
        data=landing.data,
        filename=FILENAME,
        mime_type=MIME_TYPE,
        metadata=metadata(landing, version=version, job_id=job_id),
        created_by="design",
    )


def metadata(landing: Landing, *, version: int, job_id: UUID) -> dict[str, Any]:
    """Return what is kept beside the page (domain specification §4): where it comes from, what became of the others.

    A score stands for a critic's judgement and nothing else: it is null where nobody could judge.
    """
    return {
        "status": "draft",
        "packet_version": version,
        "landing_variant": landing.variant_index + 1,
        "selected_variant": True,
        "variant_index": landing.variant_index,
        "design_score": landing.score,
        "design_pass": landing.passed,
        "design_feedback": landing.feedback,
        "measured_problems": [str(problem) for problem in landing.best.problems],
        "style_direction": landing.style_direction,
        "style_key": landing.best.direction.key,
        "generator_model": landing.best.model,
        "generator_prompt_version": PROMPT_VERSION,
        "generator_calls": list(landing.best.call_ids),
        "generation_run_id": str(job_id),
        "generation_context": landing.context_hash,
        "variants": [
            {
                "variant_index": variant.index,
                "style_direction": variant.direction.name,
                "design_score": variant.score,
                "design_pass": variant.passed,
                "outcome": variant.outcome,
            }
            for variant in landing.variants
        ],
        "not_made": landing.not_made,
    }
