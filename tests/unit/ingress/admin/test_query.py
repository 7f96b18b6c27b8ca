from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.ingress.admin.query import DIMENSIONS, USUAL_SPAN, cursor_of, kind_of, only, question_of
from gateway.store.ledger.protocol import UsageQuery

NOW = 1_800_000_000.0


def test_nothing_said_is_the_last_thirty_days_in_one_row() -> None:
    question = question_of([], NOW, groups=True)
    assert question.query == UsageQuery(NOW - USUAL_SPAN, NOW, limit=1000)
    assert question.format == "json"
    assert question_of([("until", "1970-01-02")], NOW, groups=True).query.since == 0.0


def test_all_that_can_be_said() -> None:
    pairs = [
        ("since", "2d"), ("until", "2027-01-15T07:00:00Z"), ("by", "day,team"), ("where.team", "a"),
        ("where.status", "200"), ("limit", "7"), ("format", "csv"),
    ]  # fmt: skip
    question = question_of(pairs, NOW, groups=True)
    assert question.query == UsageQuery(
        NOW - 2 * 86400, NOW - 3600, ("day", "team"), (("team", "a"), ("status", "200")), 7
    )
    assert question.format == "csv"


def test_a_table_has_no_limit_when_none_is_said() -> None:
    assert question_of([("format", "csv")], NOW, groups=False).query.limit == 0


def test_records_come_in_no_groups() -> None:
    with pytest.raises(GatewayError) as caught:
        question_of([("by", "team")], NOW, groups=False)
    assert caught.value.param == "by"


def test_a_name_that_is_nearly_right_is_met_with_a_suggestion() -> None:
    with pytest.raises(GatewayError, match="did you mean 'limit'"):
        question_of([("limits", "7")], NOW, groups=True)


@given(
    st.lists(st.sampled_from(DIMENSIONS), unique=True, min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(DIMENSIONS), st.text(max_size=9)), max_size=3),
    st.floats(0, 4e9),
    st.data(),
)
def test_a_cursor_holds_the_whole_question(
    by: list[str], where: list[tuple[str, str]], until: float, data: st.DataObject
) -> None:
    group = data.draw(st.lists(st.text(), min_size=len(by), max_size=len(by)))
    after = msgspec.json.encode(group).decode()
    query = UsageQuery(0.0, until, tuple(by), tuple(where), 5)  # type: ignore[arg-type]  # drawn from the dimensions
    token = cursor_of(query, after)
    found = question_of([("cursor", token), ("limit", "5")], NOW, groups=True).query
    assert found == msgspec.structs.replace(query, after=after)


def test_the_end_has_no_cursor() -> None:
    assert cursor_of(UsageQuery(0.0, 1.0), "") == ""


@given(st.binary(max_size=60))
def test_no_token_is_more_than_refused(token: bytes) -> None:
    for text in (token.decode("latin-1"), base64.urlsafe_b64encode(token).decode()):
        with pytest.raises(GatewayError) as caught:
            question_of([("cursor", text)], NOW, groups=True)
        assert (caught.value.code, caught.value.param) == ("invalid_request", "cursor")


@pytest.mark.parametrize("after", ["1.5 x", "1.5", "nan x", "inf x", "x x", " x", "9 x", '["a"]', "1.5 "], ids=repr)
def test_a_cursor_of_records_is_within_its_time(after: str) -> None:
    token = cursor_of(UsageQuery(1.0, 2.0), after)
    if after == "1.5 x":
        assert question_of([("cursor", token)], NOW, groups=False).query.after == after
        return
    with pytest.raises(GatewayError):
        question_of([("cursor", token)], NOW, groups=False)


def test_kinds_of_consumers() -> None:
    assert kind_of("team") == "team"
    with pytest.raises(GatewayError, match=r"key, team, project\."):
        kind_of("router")


def test_parameters_of_others_are_refused() -> None:
    assert only([("kind", "team")], ("kind", "name")) == {"kind": "team"}
    with pytest.raises(GatewayError, match=r"there are: none\."):
        only([("where.team", "a")], ())
