"""Addresses of a node's pods: given once at a time, returned, given again."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from kubesim.node.containerd.cni import HostLocal


def test_addresses_go_round() -> None:
    """The next free address follows the one given last, and skips what is taken."""
    cni = HostLocal(IPv4Network("10.0.0.0/29"))
    first = [cni.add() for _ in range(5)]
    assert ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"] == first
    cni.delete("10.0.0.4")
    assert "10.0.0.4" == cni.add()


def test_a_full_range() -> None:
    """A range without a free address refuses."""
    cni = HostLocal(IPv4Network("10.0.0.0/30"))
    cni.add()
    with pytest.raises(RuntimeError, match="no IP addresses available"):
        cni.add()
