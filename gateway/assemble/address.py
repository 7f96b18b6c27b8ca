"""Where a provider of the catalog is, for this account: the row's addresses with their variables put in.

A variable is a setting of the provider in routers.yaml, else what the environment says, else its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from gateway.config import spec as sp
from gateway.providers.row import Place, Row

REFERENCE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


class Address:
    """missing: the first variable that nobody has said, of those that were needed so far; `` for none.
    project: the one that the credentials themselves name."""

    def __init__(self, row: Row, settings: sp.Provider, env: Mapping[str, str], project: str = "") -> None:
        self.missing = ""
        self._row = row
        self._env = env
        self._places = {place.variable: place for place in row.places}
        self._stated = {
            "project": settings.project or "",
            "region": settings.region or "",
            "api-version": settings.api_version or "",
        }
        self._project = project

    def origin(self) -> str:
        """Scheme, host and port."""
        for place in self._row.places:
            for value, origin in place.origins:
                if value == self._value(place):
                    return origin
        return self.filled(self._row.origin).rstrip("/")

    def moved(self, base_url: str) -> str:
        """The same at a base URL of one's own, which stands in front of the paths of the vendor's."""
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"

    def filled(self, text: str) -> str:
        """A text of the row's with its variables put in."""
        return REFERENCE.sub(lambda match: self._named(match[1]), text)

    def _named(self, variable: str) -> str:
        place = self._places.get(variable)
        value = self._env.get(variable, "").strip() if place is None else self._value(place)
        if not value:
            self.missing = self.missing or variable
        return value

    def _value(self, place: Place) -> str:
        stated = self._stated[place.setting]
        if stated:
            return stated
        for variable in (place.variable, *place.others):
            value = self._env.get(variable, "").strip()
            if value:
                return value
        return (self._project if place.setting == "project" else "") or place.default
