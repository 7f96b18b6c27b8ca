from __future__ import annotations

import msgspec

from gateway.rehearsal.cases import Traffic
from gateway.rehearsal.traffic import Requests, arrivals


def moments(*traffics: Traffic) -> list[tuple[float, int]]:
    return [(arrival.at, arrival.kind) for arrival in arrivals(traffics)]


def test_a_rate_is_exact_and_ends_before_its_time_is_over() -> None:
    assert moments(Traffic(rate="3/s", for_="1s")) == [(0.0, 0), (1 / 3, 0), (2 / 3, 0)]
    assert [at for at, _ in moments(Traffic(rate="2/m", for_="2m", start="10s"))] == [10, 40, 70, 100]


def test_a_count_bounds_a_rate() -> None:
    assert [at for at, _ in moments(Traffic(rate="1/s", count=3))] == [0, 1, 2]


def test_moments_in_any_order_and_several_at_one() -> None:
    assert [at for at, _ in moments(Traffic(at=("5s", "1s"), count=2))] == [1, 1, 5, 5]
    assert moments(Traffic(count=3, start="2s")) == [(2, 0)] * 3


def test_several_traffics_come_in_the_order_of_time() -> None:
    assert moments(Traffic(rate="1/s", count=2), Traffic(at=("0s", "500ms"))) == [(0, 0), (0, 1), (0.5, 1), (1, 0)]


def test_bodies_are_those_of_the_path() -> None:
    def body(traffic: Traffic) -> object:
        return msgspec.json.decode(Requests(traffic, {}).scope_and_body(0)[1])

    said = [{"role": "user", "content": "Hi"}]
    assert body(Traffic(model="m")) == {"messages": said, "model": "m"}
    assert body(Traffic(path="/messages", stream=True)) == {"max_tokens": 64, "messages": said, "stream": True}
    assert body(Traffic(path="/v1/embeddings", user="ann")) == {"input": "Hi", "user": "ann"}
    assert body(Traffic(path="/v1beta/models/g:generateContent")) == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]
    }
    assert body(Traffic(body={"messages": [], "seed": 1})) == {"messages": [], "seed": 1}


def test_texts_take_turns_where_they_are_to_be_distinct() -> None:
    requests = Requests(Traffic(distinct=2), {})
    bodies = [requests.scope_and_body(turn)[1] for turn in range(4)]
    assert bodies[0] == bodies[2]
    assert bodies[1] == bodies[3]
    assert bodies[0] != bodies[1]


def test_a_request_brings_its_key_and_its_own_headers() -> None:
    requests = Requests(Traffic(router="r", key="ann", headers={"X-A": "b"}, address="10.0.0.1"), {"ann": "gw_x"})
    scope, body = requests.scope_and_body(0)
    assert scope["raw_path"] == b"/router/r/chat/completions"
    assert scope["client"][0] == "10.0.0.1"
    headers = dict(scope["headers"])
    assert headers[b"authorization"] == b"Bearer gw_x"
    assert headers[b"x-a"] == b"b"
    assert headers[b"content-length"] == str(len(body)).encode()
