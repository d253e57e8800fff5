"""CNI, as far as containerd sees it: an address for a sandbox, and its return.

Mirrors: containerd internal/cri/server/sandbox_run.go (setupPodNetwork, teardownPodNetwork); the
host-local IPAM plugin (containernetworking/plugins plugins/ipam/host-local).
Departs: how long ADD takes is containerd's ``sandbox_network``; DEL is ``stop_network``, or a part of
``stop_sandbox`` where that is not known.
"""

from __future__ import annotations

import ipaddress
from typing import Protocol


class Cni(Protocol):
    """A network plugin."""

    def add(self) -> str:
        """Give a sandbox an address.

        Raises:
            RuntimeError: If none is free.
        """
        ...

    def delete(self, ip: str) -> None:
        """Take it back."""
        ...


class HostLocal:
    """Addresses of a node's own range: the next free one after the one given last, round and round.

    Args:
        network: The node's pod CIDR.
    """

    def __init__(self, network: ipaddress.IPv4Network) -> None:
        # The first address is the network's, the second the gateway's, the last the broadcast's.
        self._first = int(network.network_address) + 2
        self._size = network.num_addresses - 3
        self._last = -1
        self._taken: set[int] = set()
        self._network = network

    def add(self) -> str:
        """The next free address.

        Raises:
            RuntimeError: If the range is full.
        """
        for step in range(1, self._size + 1):
            candidate = (self._last + step) % self._size
            if candidate not in self._taken:
                self._last = candidate
                self._taken.add(candidate)
                return str(ipaddress.IPv4Address(self._first + candidate))
        raise RuntimeError(f"no IP addresses available in range set: {self._network}")

    def delete(self, ip: str) -> None:
        """The address is free again."""
        self._taken.discard(int(ipaddress.IPv4Address(ip)) - self._first)
