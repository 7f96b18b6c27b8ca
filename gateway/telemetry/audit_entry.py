"""From an exchange that is over to the text of its line: what is hashed, masked and sealed on the way.

Runs in the writer's thread. Laws: no credential is in any line, wherever a client has put it; two requests that the
cache takes for the same have one digest, and what they asked cannot be told from it where there is a hash key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.core.exchange import Call, Captured
from gateway.core.record import Record
from gateway.core.usage import Estimate
from gateway.dialects.cache_key import key_of, members_of, surroundings
from gateway.dialects.shape import NO_SHAPE, shape_of
from gateway.policy.estimate import Estimator
from gateway.telemetry.audit_line import Change, Content, encode
from gateway.telemetry.audit_place import Line
from gateway.telemetry.audit_record import Facts, line_of
from gateway.telemetry.audit_stream import spelt_out
from gateway.telemetry.log import MASK, SHORTEST_SECRET, Log

ORDERED: Final = 8 * 1024
"""Bytes of a body that is put in order before it is hashed, as the cache does it. A larger one is hashed as it is."""
SLACK: Final = 512
"""Bytes read of a body beyond what is shown of it, so that no credential at its edge is half masked."""
_REMEMBERED: Final = 1024
_SHORT: Final = 128
"""So many texts of so many characters at most are remembered as clean: models, paths and users come again and again."""
JOINED: Final = "[a credential lay across events: only their texts are shown]"
HASHED: Final = "hmac-sha256:"
_USER_DIGITS: Final = 32

SealUp = Callable[[Content, str], Content]


def hashed_user(user: str, key: bytes) -> str:
    """An end user as lines have it where `users` is `hashed`."""
    return HASHED + hmac.digest(key, user.encode("utf-8", "replace"), "sha256").hex()[:_USER_DIGITS]


class Entry(msgspec.Struct, gc=False):
    """An exchange as it waits. body: None where it was too much to hold. size: its bytes. reply: what the client was
    told, where that is kept. credential: of the caller, where it was asked for one; never shown."""

    record: Record
    call: Call
    path: str
    query: bytes
    body: bytes | None
    size: int
    estimate: Estimate | None
    reply: Captured | None
    credential: bytes
    change: Change | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return f"<entry {self.record.id}>"


class LineMaker:
    """estimator: for exchanges that nobody has estimated. log: knows and masks credentials. hash_key: None where
    digests are hashed without one. hide_users: they are hashed with it. max_body: bytes of a body that are shown. seal:
    encrypts contents, None where they are written as they are."""

    def __init__(
        self,
        *,
        estimator: Estimator,
        log: Log,
        hash_key: bytes | None,
        hide_users: bool,
        max_body: int,
        seal: SealUp | None,
    ) -> None:
        self._estimator: Final = estimator
        self._log: Final = log
        self._clean_ones: Final[set[str]] = set()
        self._protections = log.protections
        self._hash_key: Final = hash_key
        self._hide_users: Final = hide_users
        self._max_body: Final = max_body
        self._seal: Final = seal

    def __call__(self, entry: Entry) -> Line:
        record = self._masked(entry)
        content = None
        if entry.reply is not None:
            content = self._content_of(entry, entry.reply)
            if self._seal is not None:
                content = self._seal(content, record.id)
        change = entry.change
        if change is not msgspec.UNSET:
            change = Change(change.event, {name: self._clean_value(value) for name, value in change.fields.items()})
        return Line(record.time, encode(line_of(record, self._facts_of(entry), content, change)))

    def _masked(self, entry: Entry) -> Record:
        """The record with what a client may have put a credential into cleaned."""
        record = entry.record
        credential = entry.credential
        asked = self._clean(record.asked, credential)
        user = record.user
        if user and self._hide_users:
            assert self._hash_key is not None, "the config's check has made sure of it"
            user = hashed_user(user, self._hash_key)
        else:
            user = self._clean(user, credential)
        request_id = self._clean(record.request_id, credential)
        if (asked, user, request_id) == (record.asked, record.user, record.request_id):
            return record
        hidden = record.asked if asked != record.asked else None
        return msgspec.structs.replace(
            record,
            asked=asked,
            user=user,
            request_id=request_id,
            # A name that nobody knows is passed on to the provider as it came.
            model=asked if record.model == hidden else record.model,
            attempts=tuple(
                msgspec.structs.replace(attempt, model=asked) if attempt.model == hidden else attempt
                for attempt in record.attempts
            ),
        )

    def _facts_of(self, entry: Entry) -> Facts:
        call, body = entry.call, entry.body
        if body is None:
            return Facts(self._clean(entry.path, entry.credential), size=entry.size)
        estimate = entry.estimate or self._estimator.estimate(call, body)
        shape = NO_SHAPE if call.multipart else shape_of(body)
        return Facts(
            path=self._clean(entry.path, entry.credential),
            estimated_input=estimate.input,
            estimated_output=estimate.output,
            size=entry.size,
            digest=self._digest_of(call, entry.query, body) if body else "",
            features=shape.features,
            choices=shape.choices,
        )

    def _digest_of(self, call: Call, query: bytes, body: bytes) -> str:
        around = surroundings(call, query, ())
        members = members_of(body) if len(body) <= ORDERED and not call.multipart else None
        key = key_of((), around, members) if members is not None else None
        if key is None:
            return self._hash("\0".join(around).encode("utf-8", "replace") + b"\0", body)
        return key if self._hash_key is None else self._hash(key.encode())

    def _hash(self, *parts: bytes) -> str:
        hashed = hashlib.sha256() if self._hash_key is None else hmac.new(self._hash_key, digestmod="sha256")
        for part in parts:
            hashed.update(part)
        return hashed.hexdigest()

    def _content_of(self, entry: Entry, reply: Captured) -> Content:
        cut: tuple[str, ...] = ()
        told = bytes(reply.body)
        if entry.body is None or len(entry.body) > self._max_body:
            cut += ("request",)
        if len(told) > self._max_body:
            cut += ("response",)
        response = self._shown(told, entry.credential)
        if entry.record.stream:
            response = self._shown_stream(response, entry.credential)
        return Content(self._shown(entry.body or b"", entry.credential), response, cut)

    def _shown_stream(self, shown: str, credential: bytes) -> str:
        """The events as they are shown, or only what they spell out where a credential lies across several of them."""
        texts = spelt_out(shown)
        clean = [self._clean(text, credential) for text in texts]
        return shown if clean == texts else "\n".join((JOINED, *clean))

    def _shown(self, raw: bytes, credential: bytes) -> str:
        is_cut = len(raw) > self._max_body
        piece = raw[: self._max_body + SLACK]
        if b"\0" in piece:
            return "[not text]"
        text = self._clean(piece.decode("utf-8", "replace"), credential)
        # The end of what was read may hold the beginning of a credential.
        return text[:-SLACK] if is_cut else text

    def _clean_value(self, value: str | int) -> str | int:
        return self._clean(value, b"") if isinstance(value, str) else value

    def _clean(self, text: str, credential: bytes) -> str:
        if not text:
            return text
        if len(credential) >= SHORTEST_SECRET:
            known = credential.decode("latin-1")
            if known in text:
                text = text.replace(known, MASK)
        clean_ones = self._clean_ones
        if self._protections != self._log.protections or len(clean_ones) >= _REMEMBERED:
            self._protections = self._log.protections
            clean_ones.clear()
        if text in clean_ones:
            return text
        cleaned = self._log.redact(text)
        if cleaned == text and len(text) <= _SHORT:
            clean_ones.add(text)
        return cleaned
