"""The names of spans and of their attributes: ours, and beside them those of OpenTelemetry's conventions.

A span's name is `<category>:<what>`, such as `agent:researcher`. The one exception is a single request to a model,
which is called as the GenAI conventions want it: `chat <model>`.
"""

from __future__ import annotations

from typing import Final

# --- categories

JOB: Final = "job"
QUEUE_WAIT: Final = "queue:wait"
LAUNCH: Final = "launch"
STEP: Final = "step"
AGENT: Final = "agent"
LLM: Final = "llm"
CHAT: Final = "chat"
TOOL: Final = "tool"
ACTION: Final = "action"
HTTP: Final = "http"
DB_WAIT: Final = "db:wait"
DB_QUERY: Final = "db:query"

# --- OpenTelemetry's attributes (semantic conventions 1.4x: gen_ai, http, db, error)

GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_AGENT: Final = "gen_ai.agent.name"
GEN_AI_TOOL: Final = "gen_ai.tool.name"
ERROR_TYPE: Final = "error.type"

# --- our own

JOB_ID: Final = "greenlight.job_id"
PROJECT_ID: Final = "greenlight.project_id"
CLAIM_NO: Final = "greenlight.claim_no"
ATTEMPT: Final = "greenlight.attempt"
RUN_ID: Final = "greenlight.dagster_run_id"
CALL_ID: Final = "greenlight.call_id"


def named(category: str, what: str) -> str:
    """Return the name of a span."""
    return f"{category}:{what}"
