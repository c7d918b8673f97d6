"""The job-type registry: the one list of what can be enqueued, and how each type runs.

The Dagster jobs, the check of payloads at enqueue, the lanes in the database, the command line and the
documentation all read it; nothing else lists job types. Names, agent keys, payload fields and keys are
the seed's (studio-implementation-plan §3.1, §5; domain specification §2); the `bench.` types, with which an
installation is measured, are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import AliasChoices, AnyUrl, BaseModel, ConfigDict, Field, ValidationError, model_validator

from studio.errors import InvalidPayload, NoHandler, PayloadTooNew, UnknownJobType
from studio.text import canonical_json, require_storable_json, sha1_hex

SYSTEM_PROJECT_ID = UUID("00000000-0000-0000-0000-000000000000")

Lane = Literal["realtime", "standard", "heavy"]
LANES: tuple[Lane, ...] = ("realtime", "standard", "heavy")

REALTIME = 120
USER_BLOCKING = 100
USER_INTERACTIVE = 80
DEFAULT = 50
BACKGROUND = 10

GUIDANCE_LIMIT = 2000
MESSAGE_LIMIT = 3000
# A name of DNS has 253 characters; as a person writes it, with scheme and path, it may have some more.
DOMAIN_LIMIT = 500
ADDRESS_LIMIT = 500
OCCASION_LIMIT = 80


# The first four are the seed's.
CheckName = Literal[
    "screenshot",
    "mobile_responsive",
    "waitlist_form",
    "meta_tags",
    "console_errors",
    "failed_requests",
    "broken_links",
    "accessibility",
    "page_weight",
    "web_vitals",
    "form_post",
    "visual_difference",
]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)


class Payload(BaseModel):
    """A job's payload. Field names on the wire are camelCase, as in the seed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class ProjectPayload(Payload):
    """A payload that names its project again, as the seed's clients do."""

    project_id: UUID = Field(alias="projectId")


class Phase0Payload(ProjectPayload):
    """`phase0.generate_packet`."""

    owner_clerk_id: str = Field(alias="ownerClerkId", min_length=1)
    revision_guidance: str | None = Field(default=None, alias="revisionGuidance", max_length=GUIDANCE_LIMIT)
    force_new_approval: bool = Field(default=False, alias="forceNewApproval")


class PhasePayload(ProjectPayload):
    """`phase.generate_packet`."""

    phase: int = Field(ge=1, le=3)
    force_regenerate: bool = Field(default=False, alias="forceRegenerate")
    revision_guidance: str | None = Field(default=None, alias="revisionGuidance", max_length=GUIDANCE_LIMIT)


class ApprovalPayload(ProjectPayload):
    """`approval.execute`."""

    approval_id: UUID = Field(alias="approvalId")
    action_type: str = Field(alias="actionType", min_length=1)


class NightShiftPayload(ProjectPayload):
    """`nightshift.cycle_project`. `day` is the UTC day of the night; without it the job's key or birth says it."""

    day: date | None = None


class ChatPayload(ProjectPayload):
    """`chat.reply`."""

    owner_clerk_id: str = Field(alias="ownerClerkId", min_length=1)
    user_message_id: UUID = Field(alias="userMessageId", validation_alias=AliasChoices("userMessageId", "userMsgId"))
    message: str = Field(min_length=1, max_length=MESSAGE_LIMIT)


class EmailDuePayload(Payload):
    """`email.process_due`. `enroll` says whether it first looks who has joined since."""

    limit: int = Field(default=100, ge=1, le=1000)
    enroll: bool = True


class EmptyPayload(Payload):
    """A payload without fields."""


class OccasionPayload(ProjectPayload):
    """A payload that may say on what occasion it is asked for: "publication 3", or the minute somebody asked.

    The same question on another occasion is another job; on the same one it is the same.
    """

    occasion: str | None = Field(default=None, min_length=1, max_length=OCCASION_LIMIT)


class CodePayload(OccasionPayload):
    """`code.generate_mvp`."""

    owner_clerk_id: str = Field(alias="ownerClerkId", min_length=1)
    description: str = Field(min_length=1, max_length=20_000)
    repo_url: str | None = Field(default=None, alias="repoUrl")
    branch: str = Field(default="greenlight/mvp-v1", pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,120}$")


class ReportPayload(OccasionPayload):
    """`research.generate_report`."""

    topic: str = Field(min_length=3, max_length=2000)
    format: Literal["pptx", "pdf"] = "pdf"
    max_slides: int = Field(default=15, ge=3, le=30, alias="maxSlides")


class BrowserPayload(OccasionPayload):
    """`browser.check_page`."""

    url: AnyUrl
    checks: list[CheckName] = Field(default_factory=lambda: list(CHECKS), min_length=1)
    publication_no: int | None = Field(default=None, ge=1, alias="publicationNo")


class ScanPayload(Payload):
    """`onboarding.scan`. A domain, a repository, or both; the idea is not needed to look, and so not kept."""

    domain: str | None = Field(default=None, min_length=1, max_length=DOMAIN_LIMIT)
    repo_url: str | None = Field(default=None, alias="repoUrl", min_length=1, max_length=ADDRESS_LIMIT)
    requested_by: str | None = Field(default=None, alias="requestedBy", max_length=200)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.domain is None and self.repo_url is None:
            raise ValueError("a domain or a repository is needed")
        return self


class BenchPayload(ProjectPayload):
    """`bench.realtime`, `bench.standard`, `bench.heavy`."""

    sample: int = Field(default=0, ge=0)


# Under this name such a job's op leaves when it began, in Unix seconds.
BENCH_STARTED_AT = "started_at"

KeyBuilder = Callable[[UUID, Any], str]
# Makes of a payload of one version what the next version would have said: pure, and never of more than the payload.
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


def _day() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _hashed(prefix: str) -> KeyBuilder:
    def key(project_id: UUID, payload: Payload) -> str:
        return f"{prefix}:{project_id}:{sha1_hex(canonical_json(dump_payload(payload)))}"

    return key


def _phase0_key(project_id: UUID, payload: Phase0Payload) -> str:
    return f"phase0:{project_id}:{sha1_hex(payload.revision_guidance or '')}:{int(payload.force_new_approval)}"


def scan_key(domain: str | None, repo_url: str | None, at: datetime) -> str:
    """Return the key of a scan: what is looked at, and the minute in which it was asked for."""
    return f"scan:{sha1_hex(canonical_json([domain, repo_url]))}:{at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M')}"


@dataclass(frozen=True)
class JobType:
    """One row of the registry.

    `timeout_seconds` bounds one attempt; `key` builds the idempotency key from the project id and the
    validated payload; `has_handler` says whether a Dagster job stands behind the type. `upgrades` lead from version 1
    of the payload to the present one, a step each: whoever changes the model adds one.
    """

    name: str
    payload: type[Payload]
    agent_key: str
    priority: int
    lane: Lane
    timeout_seconds: int
    key: KeyBuilder
    description: str
    max_attempts: int = 3
    has_handler: bool = False
    upgrades: tuple[Upgrade, ...] = ()

    @property
    def payload_version(self) -> int:
        """The version of the payloads that this code writes, and the newest that it understands."""
        return 1 + len(self.upgrades)

    @property
    def dagster_job(self) -> str:
        """The name of the Dagster job: the type's name with underscores."""
        return self.name.replace(".", "_")


_ROWS: tuple[JobType, ...] = (
    JobType(
        name="phase0.generate_packet",
        payload=Phase0Payload,
        agent_key="ceo",
        priority=USER_BLOCKING,
        lane="heavy",
        timeout_seconds=1800,
        key=_phase0_key,
        description="Turn the idea into a Phase 0 packet with sources, and open its gate.",
        has_handler=True,
    ),
    JobType(
        name="phase.generate_packet",
        payload=PhasePayload,
        agent_key="ceo",
        priority=DEFAULT,
        lane="heavy",
        # Three drawings of a page and their critiques may take longer than half an hour.
        timeout_seconds=3600,
        key=lambda project_id, payload: f"phasegen:{project_id}:{payload.phase}",
        description="Generate the packet of phase 1, 2 or 3, and open its gate.",
        has_handler=True,
    ),
    JobType(
        name="approval.execute",
        payload=ApprovalPayload,
        agent_key="engineering",
        priority=USER_BLOCKING,
        lane="standard",
        timeout_seconds=900,
        key=lambda _project_id, payload: f"approval:{payload.approval_id}",
        description="Carry out an approved action, once.",
        has_handler=True,
    ),
    JobType(
        name="email.process_due",
        payload=EmailDuePayload,
        agent_key="outreach",
        priority=BACKGROUND,
        lane="standard",
        timeout_seconds=900,
        key=lambda _project_id, _payload: f"email_due:{datetime.now(UTC).strftime('%Y-%m-%dT%H')}",
        description="Send the mails that are due.",
        has_handler=True,
    ),
    JobType(
        name="drip.process_digests",
        payload=EmptyPayload,
        agent_key="outreach",
        priority=BACKGROUND,
        lane="standard",
        timeout_seconds=900,
        key=lambda _project_id, _payload: f"drip_digests:{_day()}",
        description="Send the weekly digests.",
        has_handler=True,
    ),
    JobType(
        name="drip.process_nudges",
        payload=EmptyPayload,
        agent_key="outreach",
        priority=BACKGROUND,
        lane="standard",
        timeout_seconds=900,
        key=lambda _project_id, _payload: f"drip_nudges:{_day()}",
        description="Send the nudges.",
        has_handler=True,
    ),
    JobType(
        name="nightshift.cycle_project",
        payload=NightShiftPayload,
        agent_key="night_shift",
        priority=BACKGROUND,
        lane="standard",
        timeout_seconds=900,
        key=lambda project_id, payload: f"nightshift:{project_id}:{payload.day or _day()}",
        description="Propose a project's next actions over night.",
        has_handler=True,
    ),
    JobType(
        name="chat.reply",
        payload=ChatPayload,
        agent_key="ceo",
        priority=REALTIME,
        lane="realtime",
        timeout_seconds=240,
        key=lambda project_id, payload: f"chat:{project_id}:{payload.user_message_id}",
        description="Answer a chat message, streamed live.",
        has_handler=True,
    ),
    JobType(
        name="onboarding.scan",
        payload=ScanPayload,
        agent_key="research",
        priority=USER_INTERACTIVE,
        # Somebody watches. As a job of the studio's own it shares one project's limit, and so never fills the lane.
        lane="realtime",
        timeout_seconds=60,
        key=lambda _project_id, payload: scan_key(payload.domain, payload.repo_url, datetime.now(UTC)),
        description="Look at a domain or a repository for somebody who is about to start a project.",
        # What could not be reached is part of the answer; whoever waits asks again sooner than a second attempt.
        max_attempts=1,
        has_handler=True,
    ),
    JobType(
        name="code.generate_mvp",
        payload=CodePayload,
        agent_key="engineering",
        priority=DEFAULT,
        lane="heavy",
        timeout_seconds=3600,
        key=_hashed("codegen"),
        description="Write a first version of the product on a branch of its repository.",
        has_handler=True,
    ),
    JobType(
        name="research.generate_report",
        payload=ReportPayload,
        agent_key="research",
        priority=DEFAULT,
        lane="heavy",
        timeout_seconds=1800,
        key=_hashed("research"),
        description="Research a topic and render a report.",
        has_handler=True,
    ),
    JobType(
        name="browser.check_page",
        payload=BrowserPayload,
        agent_key="engineering",
        priority=DEFAULT,
        lane="heavy",
        timeout_seconds=600,
        key=_hashed("browser"),
        description="Check a page in a real browser.",
        has_handler=True,
    ),
)


def _bench(lane: Lane) -> JobType:
    return JobType(
        name=f"bench.{lane}",
        payload=BenchPayload,
        agent_key="system",
        # Also in the lane that it measures, real work goes first.
        priority=BACKGROUND,
        lane=lane,
        timeout_seconds=60,
        key=lambda project_id, payload: f"bench:{lane}:{project_id}:{payload.sample}",
        description=f"Do nothing, to measure the {lane} lane (`greenlight bench`).",
        # A second attempt would measure the wait between attempts.
        max_attempts=1,
        has_handler=True,
    )


JOB_TYPES: dict[str, JobType] = {row.name: row for row in (*_ROWS, *map(_bench, LANES))}


def job_type(name: str) -> JobType:
    """Return the registry's row for `name`, or raise `UnknownJobType` that lists the known ones."""
    try:
        return JOB_TYPES[name]
    except KeyError:
        raise UnknownJobType(
            f"There is no job type {name!r}.", f"Known job types: {', '.join(sorted(JOB_TYPES))}."
        ) from None


def require_handler(kind: JobType) -> JobType:
    """Return `kind`, or raise `NoHandler` where nothing can run it yet."""
    if kind.has_handler:
        return kind
    ready = ", ".join(row.name for row in JOB_TYPES.values() if row.has_handler)
    raise NoHandler(f"Job type {kind.name!r} has no handler yet.", f"Can be enqueued today: {ready}.")


def require_version(kind: JobType, version: int) -> None:
    """Raise `PayloadTooNew` where this code does not know `version` of the type's payload."""
    if version > kind.payload_version:
        raise PayloadTooNew(
            f"The payload of this {kind.name} is of version {version}, and this code knows {kind.payload_version}.",
            "A later release wrote it; its workers can run it.",
        )


def parse_payload(kind: JobType, project_id: UUID, payload: dict[str, Any], version: int | None = None) -> Payload:
    """Return `payload`, which is of `version` (None: the present one), as the type's present model.

    Raise `PayloadTooNew` where this code does not know that version, `InvalidPayload` that names every field that
    does not fit.
    """
    if version is not None:
        require_version(kind, version)
    if not isinstance(payload, dict):
        # The column takes any JSON, and other clients write to it.
        raise InvalidPayload(f"The payload of {kind.name} is not a JSON object.", 'Give one like {"limit": 100}.')
    require_storable_json(payload, "the payload")
    if version is not None:
        for upgrade in kind.upgrades[max(1, version) - 1 :]:
            payload = upgrade(payload)
    if issubclass(kind.payload, ProjectPayload) and "project_id" not in payload:
        payload = {"projectId": str(project_id), **payload}
    try:
        parsed = kind.payload.model_validate(payload)
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors())
        fields = ", ".join(f.alias or name for name, f in kind.payload.model_fields.items()) or "none"
        raise InvalidPayload(f"The payload does not fit {kind.name}: {problems}.", f"Its fields: {fields}.") from exc
    if isinstance(parsed, ProjectPayload) and parsed.project_id != project_id:
        raise InvalidPayload(
            f"The payload names project {parsed.project_id}, but the job belongs to {project_id}.",
            "Leave projectId out, or name the same project.",
        )
    return parsed


def understood() -> dict[str, int]:
    """Return what this code can run: the newest payload version of each job type that has a handler."""
    return {kind.name: kind.payload_version for kind in JOB_TYPES.values() if kind.has_handler}


PayloadJson = Annotated[dict[str, Any], "a payload as stored in agent_jobs.payload"]


def dump_payload(payload: Payload) -> PayloadJson:
    """Return the JSON form of a validated payload, camelCase, without fields left at None."""
    return payload.model_dump(mode="json", by_alias=True, exclude_none=True)
