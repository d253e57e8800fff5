"""HTTP to a registry: one request at a time, and the log-in that the registry asks for.

A registry says with its first 401 how it wants to be asked: with name and password, or with a
token from a service that it names. Credentials go to the registry and to that service, and to
nobody that either of them redirects to.

Mirrors: distribution-spec "Auth"; distribution/distribution docs/spec/auth/token.md.
Departs: no credentials store; no refresh tokens; no proxy to this machine.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from kubesim.errors import InputError
from kubesim.oci.reference import Reference

TIMEOUT_S = 60
ERROR_BYTES_MAX = 64 * 1024

_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who one is at a registry."""

    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """As the header has it."""
        text = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(text).decode()}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport:
    """Requests to one repository.

    Args:
        reference: The registry and the repository.
        credentials: Who one is there; ``None`` for anonymous.
        plain_http: Speak http; to this machine it is spoken anyway.
        push: Ask for the right to write too.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        credentials: Credentials | None = None,
        plain_http: bool = False,
        push: bool = False,
    ) -> None:
        scheme = "http" if plain_http or reference.is_loopback else "https"
        self._base = f"{scheme}://{reference.host}/v2/{reference.repository}/"
        self._registry = reference.registry
        self._credentials = credentials
        self._scope = f"repository:{reference.repository}:{'pull,push' if push else 'pull'}"
        self._authorization: str | None = None
        self._opener = _web_opener(direct=reference.is_loopback)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        bytes_max: int = ERROR_BYTES_MAX,
    ) -> Answer:
        """Send a request, logging in if that is asked for.

        Args:
            method: The method.
            path: Below the repository, or a whole URL that the registry gave.
            body: What is sent.
            headers: Headers.
            bytes_max: A longer answer is an error.

        Raises:
            InputError: The registry cannot be reached, or does not let one in.
        """
        url = urljoin(self._base, path)
        answer = self._send(method, url, body, headers or {}, bytes_max)
        if answer.status == 401 and self._is_ours(url):
            self._log_in(answer.headers.get("www-authenticate", ""))
            answer = self._send(method, url, body, headers or {}, bytes_max)
        if answer.status in (401, 403):
            raise InputError(f"{self._registry} does not let you {method} {path}: {why(answer)}")
        return answer

    def _is_ours(self, url: str) -> bool:
        """Whether a URL is the registry's own; only there credentials are shown."""
        return urlsplit(url)[:2] == urlsplit(self._base)[:2]

    def _log_in(self, challenge: str) -> None:
        kind, _, rest = challenge.partition(" ")
        given = dict(_PARAMETER.findall(rest))
        if kind.lower() == "basic":
            if self._credentials is None:
                raise InputError(f"{self._registry} wants a user name; give --username")
            self._authorization = self._credentials.basic
        elif kind.lower() == "bearer" and "realm" in given:
            self._authorization = f"Bearer {self._token(given)}"
        else:
            raise InputError(f"{self._registry} wants a log-in of an unknown kind: {challenge!r}")

    def _token(self, given: Mapping[str, str]) -> str:
        realm = given["realm"]
        scheme = urlsplit(realm).scheme
        if scheme != "https" and not (scheme == "http" and self._base.startswith("http:")):
            raise InputError(f"{self._registry} sends log-ins to {realm}, which is not safe")
        query = {"scope": given.get("scope", self._scope)}
        if "service" in given:
            query["service"] = given["service"]
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        basic = self._credentials.basic if self._credentials else None
        answer = self._open("GET", url, None, {}, ERROR_BYTES_MAX, authorization=basic)
        if answer.status != 200:
            raise InputError(f"{self._registry} does not let you in: {why(answer)}")
        try:
            data: Any = json.loads(answer.body)
            token = data.get("token") or data.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not token.isprintable():
            raise InputError(f"{realm} answers without a token")
        return token

    def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], bytes_max: int
    ) -> Answer:
        authorization = self._authorization if self._is_ours(url) else None
        return self._open(method, url, body, headers, bytes_max, authorization=authorization)

    def _open(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        bytes_max: int,
        *,
        authorization: str | None,
    ) -> Answer:
        if urlsplit(url).scheme not in ("http", "https"):
            raise InputError(f"{self._registry} points to {url}, which is no web address")
        request = urllib.request.Request(url, data=body, method=method)  # noqa: S310  # seen above
        for name, value in headers.items():
            request.add_header(name, value)
        if authorization:
            # Not redirected: whom the registry points to need not know who we are.
            request.add_unredirected_header("Authorization", authorization)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                return _answer(response.status, response, 0 if method == "HEAD" else bytes_max)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error, ERROR_BYTES_MAX)
        except urllib.error.URLError as error:
            raise InputError(f"{self._registry} cannot be reached: {error.reason}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise InputError(f"{self._registry}: the connection broke: {error}") from None


def _web_opener(*, direct: bool) -> urllib.request.OpenerDirector:
    """An opener that knows the web and nothing else: no redirection leads to a file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({} if direct else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _answer(status: int, response: Any, bytes_max: int) -> Answer:
    body = response.read(bytes_max + 1) if bytes_max else b""
    if len(body) > bytes_max > 0 and status < 400:
        raise InputError(f"the registry sends more than the {bytes_max} bytes that it announced")
    return Answer(status, {name.lower(): value for name, value in response.headers.items()}, body)


def why(answer: Answer) -> str:
    """What an answer says went wrong."""
    try:
        error = json.loads(answer.body)["errors"][0]
        return f"{error['code']}: {error.get('message', '')} (HTTP {answer.status})"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"HTTP {answer.status}"
