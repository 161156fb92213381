"""A node's HTTPS port: what it answers to those who speak no TLS, and to the register's clients."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.conformance.conftest import running_node

ABC = "/api/handles/86.1000/ABC"


def test_port_for_https_answers_http_where_it_is_told_to(tmp_path: Path) -> None:
    with running_node(tmp_path, XIBIAO_HTTPS__PLAIN_HTTP="true") as node:
        plain = node.https.replace("https://", "http://")
        with httpx.Client(verify=node.trust()) as client:
            assert client.get(plain + ABC).json() == client.get(node.https + ABC).json()
            assert client.put(plain + ABC, json=[]).status_code == 403
            assert client.put(node.https + ABC, json=[]).status_code == 401


def test_port_for_https_answers_nothing_else_unless_told_to(tmp_path: Path) -> None:
    with running_node(tmp_path) as node, httpx.Client(verify=node.trust()) as client:
        with pytest.raises(httpx.TransportError):
            client.get(node.https.replace("https://", "http://") + ABC)
        assert client.get(node.https + "/healthz").status_code == 200
        assert client.get(node.https + "/86.1000/ABC").status_code in (200, 302)
        assert client.get(node.http + "/metrics").text.count("cut_tls") == 1
