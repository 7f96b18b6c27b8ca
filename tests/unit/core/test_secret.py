from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable

import msgspec
import pytest

from gateway.core.secret import Secret

VALUE = "the-credential-itself"


def test_it_is_revealed_when_asked() -> None:
    assert Secret("main", VALUE).reveal() == VALUE


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda s: f"{s}", ascii])
def test_its_text_is_its_name(show: Callable[[Secret], str]) -> None:
    assert show(Secret("main", VALUE)) == "<secret main>"


def test_what_holds_it_does_not_show_it() -> None:
    secret = Secret("main", VALUE)
    assert VALUE not in repr([secret, {"key": secret}, (secret,)])


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_does_not_leave_the_process(carry: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        carry(Secret("main", VALUE))


def test_it_is_not_encoded() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode({"key": Secret("main", VALUE)})


def test_it_has_no_attributes_to_dump() -> None:
    with pytest.raises(TypeError):
        vars(Secret("main", VALUE))


def test_a_stack_trace_shows_its_name_only() -> None:
    secret = Secret("main", VALUE)
    try:
        raise ValueError(secret)
    except ValueError as error:
        trace = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "<secret main>" in trace
    assert f"value = '{VALUE}'" not in trace


def test_two_secrets_of_one_text_are_two() -> None:
    assert Secret("main", VALUE) != Secret("main", VALUE)
