"""Where a run's requests go and what they carry, and the bytes of each; sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harpoon_cli.bench import dialects
from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.values import Struct, field

if TYPE_CHECKING:
    import ssl  # takes longer to load than the whole engine, and most loopback tests need none

SECRET_CHARACTERS = 8
"""A header's value of fewer is no key, and too common in other text to be taken out of it."""

_PORTS = {"http": 80, "https": 443}


class Target(Struct, frozen=True):
    """One data plane.

    path is the whole path of a request. headers are sent with each, the key among them, and so are not
    printed. fields are put into the body of each request: temperature, ignore_eos, a lease's allocation_id.
    tls makes the context of connections; None: plain HTTP.
    """

    host: str
    port: int
    path: str
    dialect: str
    stream: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    tls: Callable[[], ssl.SSLContext] | None = None

    @classmethod
    def at(
        cls,
        url: str,
        dialect: str,
        *,
        tls: Callable[[], ssl.SSLContext],
        stream: bool = True,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> Target:
        """The target at an endpoint's URL, below which the dialect has its path; `tls` is used for https."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigurationFault(
                f"{url!r} is no http:// or https:// URL", hint="--endpoint http://HOST:PORT/v1"
            )
        return cls(
            parts.hostname,
            _port(url),
            parts.path.rstrip("/") + dialects.load(dialect).PATH,
            dialect,
            stream,
            dict(headers or {}),
            dict(fields or {}),
            tls if parts.scheme == "https" else None,
        )

    def __repr__(self) -> str:
        # The headers hold the key.
        return f"Target({self.host}:{self.port}{self.path})"

    def redacted(self, text: str) -> str:
        """`text` without what our headers hold, in case a server repeats the key."""
        for value in self.headers.values():
            for secret in (value, value.rpartition(" ")[2]):
                if len(secret) >= SECRET_CHARACTERS:
                    text = text.replace(secret, "***")
        return text


def _port(url: str) -> int:
    parts = urlsplit(url)
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError as cause:
        raise ConfigurationFault(f"{url!r} has no usable port", hint="a port is 1 to 65535") from cause


class Composer:
    """Makes the bytes of a target's requests, head and body."""

    def __init__(self, target: Target) -> None:
        self._head = _head(target)
        self._writer = dialects.load(target.dialect).writer(target.fields, stream=target.stream)

    def request(self, ask: Ask, history: Sequence[Message] = ()) -> bytes:
        """The whole request that asks `ask` after the turns in `history`."""
        body = self._writer.body(ask, history)
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


def _head(target: Target) -> bytes:
    """Everything up to the length of the body."""
    lines = {
        "Host": _authority(target),
        "Accept": "text/event-stream" if target.stream else "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        **target.headers,
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    if any(not _is_line(f"{name}: {value}") for name, value in lines.items()) or not _is_line(target.path):
        raise ConfigurationFault("a header or the path of the endpoint holds a character that cannot be sent")
    return f"POST {target.path} HTTP/1.1\r\n{text}Content-Length: ".encode("ascii")


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = _PORTS["https" if target.tls else "http"]
    return host if target.port == usual else f"{host}:{target.port}"


def _is_line(text: str) -> bool:
    return text.isascii() and text.isprintable()
