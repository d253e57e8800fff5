"""The client-side rate limit: a token bucket, computed instead of refilled.

It is what throttles a mass scale-out: a kube-controller-manager with 20 requests a second and a
burst of 30 cannot create 500 pods at once.

Mirrors: staging/src/k8s.io/client-go/util/flowcontrol/throttle.go (NewTokenBucketRateLimiter).
"""

from __future__ import annotations

from kubesim.sim.time import SECOND


class TokenBucket:
    """``qps`` tokens a second, at most ``burst`` of them saved up; callers wait their turn in order.

    Args:
        qps: Tokens a second; 0 means no limit.
        burst: How many calls may pass at once after a rest.
    """

    def __init__(self, *, qps: float, burst: int) -> None:
        self._interval_ns = round(SECOND / qps) if qps else 0
        self._tolerance_ns = self._interval_ns * max(burst - 1, 0)
        self._full_again_ns = 0

    def reserve(self, now_ns: int) -> int:
        """Take the next token; returns how many nanoseconds from now it is there."""
        if not self._interval_ns:
            return 0
        # The generic cell rate algorithm: one number, the instant at which the bucket is full again.
        wait_ns = max(0, self._full_again_ns - self._tolerance_ns - now_ns)
        self._full_again_ns = max(self._full_again_ns, now_ns) + self._interval_ns
        return wait_ns

    @property
    def full_again_ns(self) -> int:
        """When all tokens are there again: all that there is to know of the bucket."""
        return self._full_again_ns

    def restore(self, full_again_ns: int) -> None:
        """As if nothing had been taken since then."""
        self._full_again_ns = full_again_ns

    def try_accept(self, now_ns: int) -> bool:
        """Take a token if there is one now; nothing is taken when there is none."""
        if self._full_again_ns - self._tolerance_ns > now_ns:
            return False
        self.reserve(now_ns)
        return True
