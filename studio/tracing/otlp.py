"""Export to any collector that speaks OTLP, as OpenTelemetry's standard variables say. Without them nothing is sent.

Only OTLP over HTTP with protobuf is there. Its processor is OpenTelemetry's own: it drops what an endpoint does not
take, because a copy elsewhere is not worth the disk.
"""

from __future__ import annotations

import logging
import os
import threading

from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor

log = logging.getLogger(__name__)

DEFAULT_SERVICE = "greenlight"
PROTOCOL = "http/protobuf"


def resource() -> Resource:
    """Return what describes this service: `greenlight`, where OTEL_SERVICE_NAME and the like say no other."""
    return Resource.create({SERVICE_NAME: DEFAULT_SERVICE, **OTELResourceDetector().detect().attributes})


def exporter_from_environment() -> SpanProcessor | None:
    """Return a processor that exports spans over OTLP, None where the environment does not ask for it."""
    if _said("OTEL_SDK_DISABLED").lower() == "true" or not _otlp_wanted():
        return None
    if not (_said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or _said("OTEL_EXPORTER_OTLP_ENDPOINT")):
        return None
    protocol = _said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or _said("OTEL_EXPORTER_OTLP_PROTOCOL") or PROTOCOL
    if protocol != PROTOCOL:
        log.warning("Traces are not exported: the OTLP protocol %s is not there. Set it to %s.", protocol, PROTOCOL)
        return None
    # Its HTTP client is of no use to the many processes that export nothing, and takes a while to load.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        return BatchSpanProcessor(OTLPSpanExporter())
    except (ValueError, OSError, RuntimeError):
        # It reads the other variables itself.
        log.warning("Traces are not exported: a variable OTEL_… cannot be used", exc_info=True)
        return None


def shut_down(processor: SpanProcessor, timeout: float) -> bool:
    """Export what waits, for at most `timeout` seconds; return whether that was done in time.

    The SDK's own timeouts do not hold, so a thread does it, which is left behind afterwards.
    """
    thread = threading.Thread(target=processor.shutdown, name="traces over OTLP", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        log.warning("Traces were not all exported over OTLP within %.1f s", timeout)
    return not thread.is_alive()


def _otlp_wanted() -> bool:
    """Say whether OTEL_TRACES_EXPORTER, a list, names `otlp`, as it does where it is unset."""
    wanted = {name.strip() for name in (_said("OTEL_TRACES_EXPORTER") or "otlp").split(",")}
    for other in sorted(wanted - {"otlp", "none", ""}):
        log.warning("OTEL_TRACES_EXPORTER names %s, which is not there; only otlp is", other)
    return "otlp" in wanted


def _said(variable: str) -> str:
    return os.environ.get(variable, "").strip()
