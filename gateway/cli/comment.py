"""One comment on a pull or merge request, found again by its first line and replaced.

Lives here: what the interfaces of GitHub and GitLab are asked. Law: the token goes to the address that the runner names
and nowhere else, no redirect is followed, and only a comment of one's own is touched.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from typing import Final, Literal, Protocol
from urllib.parse import quote, urlencode, urlsplit

import msgspec

_SECONDS: Final = 30.0
_PAGES: Final = 30
"""A discussion is looked through so far: 3,000 comments."""


class CommentError(Exception):
    """It could not be put. is_refusal: the token may not, as for changes from forks, whose jobs may only read."""

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal: Final = is_refusal


class Destination(Protocol):
    def put(self, marker: str, text: str) -> str:
        """Write the comment, or replace the one that begins with the marker. What was done; CommentError."""
        ...


class _Note(msgspec.Struct):
    id: int
    body: str | None = None


class _User(msgspec.Struct):
    login: str = ""
    id: int = 0


class _Comment(_Note):
    user: _User | None = None
    author: _User | None = None


def destination(kind: Literal["github", "gitlab"], env: Mapping[str, str]) -> Destination:
    """Where a job of that kind belongs, by the variables of its runner. CommentError."""
    if kind == "github":
        return _GitHub(
            _Interface(_wanted(env, "GITHUB_API_URL"), {"authorization": f"Bearer {_wanted(env, 'GITHUB_TOKEN')}"}),
            _wanted(env, "GITHUB_REPOSITORY"),
            _number(env, "PULL_REQUEST"),
            env.get("COMMENT_AUTHOR") or "github-actions[bot]",
        )
    return _GitLab(
        _Interface(_wanted(env, "CI_API_V4_URL"), {"private-token": _wanted(env, "GITLAB_TOKEN")}),
        _wanted(env, "CI_PROJECT_ID"),
        _number(env, "CI_MERGE_REQUEST_IID"),
    )


def _wanted(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise CommentError(f"no comment: {name} is not set")
    return value


def _number(env: Mapping[str, str], name: str) -> int:
    value = _wanted(env, name)
    if not value.isdecimal():
        raise CommentError(f"no comment: {name} is no number")
    return int(value)


class _Interface:
    """A REST interface with JSON. root: its URL."""

    def __init__(self, root: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(root)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommentError("no comment: the address of the interface is no URL")
        self._parts: Final = parts
        self._headers: Final = {"accept": "application/json", "user-agent": "router-gateway", **headers}

    def ask(self, method: str, path: str, document: object = None) -> bytes:
        made = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = made(self._parts.netloc, timeout=_SECONDS)
        body = None if document is None else msgspec.json.encode(document)
        headers = self._headers if body is None else {**self._headers, "content-type": "application/json"}
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body, headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise CommentError(f"no comment: {self._parts.hostname} does not answer: {type(error).__name__}") from None
        finally:
            connection.close()
        if reply.status not in (200, 201):
            raise CommentError(
                f"no comment: {self._parts.hostname} answers {method} with {reply.status}"
                + ("; the token may not write comments here" if reply.status in (401, 403) else ""),
                is_refusal=reply.status == 403,
            )
        return content

    def listed(self, path: str) -> Iterator[_Comment]:
        for page in range(1, _PAGES + 1):
            content = self.ask("GET", f"{path}?{urlencode({'per_page': 100, 'page': page})}")
            found = _read(content, list[_Comment])
            yield from found
            if len(found) < 100:
                return


def _read(content: bytes, kind: type[list[_Comment]]) -> list[_Comment]:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        raise CommentError("no comment: what was answered are no comments") from None


class _GitHub:
    def __init__(self, interface: _Interface, repository: str, number: int, author: str) -> None:
        self._interface = interface
        self._repository = f"/repos/{quote(repository)}"
        self._comments = f"{self._repository}/issues/{number}/comments"
        self._author = author

    def put(self, marker: str, text: str) -> str:
        for comment in self._interface.listed(self._comments):
            # Anybody may write the marker: what somebody else has written stays theirs.
            if _has(comment, marker) and comment.user is not None and comment.user.login == self._author:
                self._interface.ask("PATCH", f"{self._repository}/issues/comments/{comment.id}", {"body": text})
                return "the comment was replaced"
        self._interface.ask("POST", self._comments, {"body": text})
        return "a comment was written"


class _GitLab:
    def __init__(self, interface: _Interface, project: str, number: int) -> None:
        self._interface = interface
        self._notes = f"/projects/{quote(project, safe='')}/merge_requests/{number}/notes"

    def put(self, marker: str, text: str) -> str:
        try:
            own = msgspec.json.decode(self._interface.ask("GET", "/user"), type=_User).id
        except msgspec.DecodeError:
            raise CommentError("no comment: what was answered is no user") from None
        for note in self._interface.listed(self._notes):
            if _has(note, marker) and note.author is not None and note.author.id == own:
                self._interface.ask("PUT", f"{self._notes}/{note.id}", {"body": text})
                return "the note was replaced"
        self._interface.ask("POST", self._notes, {"body": text})
        return "a note was written"


def _has(comment: _Comment, marker: str) -> bool:
    return (comment.body or "").partition("\n")[0].strip() == marker
