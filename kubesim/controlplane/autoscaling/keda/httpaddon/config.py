"""The add-on's settings, each an environment variable of its components.

Mirrors: kedacore/http-add-on@59b2f6a interceptor/config/{timeouts,serving}.go, scaler/config.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.time import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddOnConfig:
    """How interceptor and scaler work.

    Attributes:
        request_timeout_ns: ``KEDA_HTTP_REQUEST_TIMEOUT``: the whole of a request; 0 for any time.
        response_header_timeout_ns: ``KEDA_HTTP_RESPONSE_HEADER_TIMEOUT``: for the workload's answer.
        readiness_timeout_ns: ``KEDA_HTTP_READINESS_TIMEOUT``: for the workload to be there; 0 for as
            long as the request may take.
        cold_start_header: ``KEDA_HTTP_ENABLE_COLD_START_HEADER``.
        queue_tick_ns: ``KEDA_HTTP_QUEUE_TICK_DURATION``: how often the scaler asks the interceptor.
        stream_interval_ns: ``KEDA_HTTP_SCALER_STREAM_INTERVAL_MS``: how often it tells KEDA.
    """

    request_timeout_ns: int = 0
    response_header_timeout_ns: int = 300 * SECOND
    readiness_timeout_ns: int = 0
    cold_start_header: bool = True
    queue_tick_ns: int = 500 * MILLISECOND
    stream_interval_ns: int = 200 * MILLISECOND
