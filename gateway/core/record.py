"""What is kept of one exchange when it is over: the row of the ledger, and what the audit log says.

Pure data, made once for each exchange (pipeline/recorder.py) and read by every sink. Law: no credential, and nothing
of what was asked or answered, is in it.
"""

from __future__ import annotations

import msgspec

from gateway.core.exchange import Dialect, Operation, Outcome
from gateway.core.usage import Usage


class AttemptRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One try upstream. key: the name of the provider's key. seconds: how long it took. fault: what went wrong, or
    ``."""

    provider: str
    model: str
    key: str
    status: int = 0
    fault: str = ""
    seconds: float = 0.0


class Record(msgspec.Struct, frozen=True, gc=False):
    """One exchange.

    id: of this exchange and no other, whatever ids clients send: what is written twice under it counts once. time: Unix
    seconds at its start. request_id: as the client was told it. caller, team, project: who asked, `` where that is not
    known. user: the end user, as the request names it. router: its name, or the route with a leading slash. config: the
    hash of the config that decided. asked: the model as the client wrote it. provider, model: who answered, `` for
    nobody. key: the name of the provider's key. rule: what chose the model where a rule did. status: of the reply.
    error_code: ours, or ``. usage: NOTHING_USED where nothing was; metered: the provider itself has said so. cost:
    nano-USD, None where the price is not known. price_source: where the price is from, `` where there is none. cache:
    `hit`, `stale`, `miss`, `bypass`, or `` where there is no cache. saved: nano-USD that were not spent, and saved_by:
    `cache`, `target` or `free-key`. seconds: from the first byte of the request to the last of the reply.
    first_byte: seconds to the first byte of a stream, 0.0 where there was none. max_tokens: 0 when not said. losses:
    the fields that translation could not carry.
    """

    id: str
    time: float
    request_id: str
    caller: str
    team: str
    project: str
    user: str
    router: str
    config: str
    dialect: Dialect
    operation: Operation
    stream: bool
    asked: str
    provider: str
    model: str
    key: str
    rule: str
    status: int
    outcome: Outcome
    error_code: str
    usage: Usage
    metered: bool
    cost: int | None
    price_source: str
    cache: str
    saved: int
    saved_by: str
    seconds: float
    first_byte: float
    max_tokens: int
    attempts: tuple[AttemptRecord, ...]
    losses: tuple[str, ...]
