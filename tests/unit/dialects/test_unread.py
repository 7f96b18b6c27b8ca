from __future__ import annotations

import msgspec
import pytest

from gateway.dialects.unread import shape_of, unread


class _Piece(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    role: str | None = None
    content: str | list[_Piece] | None = None


class _Body(msgspec.Struct):
    model: str | None = None
    messages: list[_Message] | None = None
    option: _Piece | str | None = None
    anything: msgspec.Raw = msgspec.Raw()
    tail: str | None = msgspec.field(default=None, name="end")


SHAPE = shape_of(_Body)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"{}", ()),
        (b'{"model":"m","messages":[{"content":"x"},{"content":[{"text":"y"}]}],"option":"z","end":"e"}', ()),
        (b'{"model":null,"messages":null,"option":null}', ()),
        (b'{"seed":1}', ("seed",)),
        (b'{"seed":null}', ()),
        (b'{"tail":1}', ("tail",)),
        (b'{"anything":{"seed":1}}', ()),
        (
            b'{"messages":[{"mood":1},{"content":[{"text":"a"},{"shade":2}]}]}',
            ("messages[0].mood", "messages[1].content[1].shade"),
        ),
        (b'{"option":{"text":"a","size":1}}', ("option.size",)),
        (b'{"a\\u0062":1}', ("ab",)),
    ],
)
def test_what_the_structs_do_not_name_is_named(body: bytes, names: tuple[str, ...]) -> None:
    assert unread(body, SHAPE) == names


def test_names_stand_under_the_place_that_is_given() -> None:
    assert unread(b'{"seed":1}', SHAPE, "tools[0].") == ("tools[0].seed",)


def test_no_more_is_told_than_can_be_read() -> None:
    body = msgspec.json.encode({f"x{number}": 1 for number in range(1000)})
    assert len(unread(body, SHAPE)) == 64
