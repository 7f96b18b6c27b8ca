from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.policy.claims import Bearer, ClaimError, ClaimRules, bearer_of

NOW = 1_800_000_000.0
RULES = ClaimRules("https://id.test", frozenset({"gateway", "other"}), leeway=30.0)
GOOD: dict[str, object] = {"iss": "https://id.test", "aud": "gateway", "sub": "alice", "exp": NOW + 600}


def bearer(now: float = NOW, rules: ClaimRules = RULES, **claims: object) -> Bearer:
    return bearer_of({**GOOD, **claims}, rules, now)


def refused(now: float = NOW, rules: ClaimRules = RULES, **claims: object) -> ClaimError:
    with pytest.raises(ClaimError) as caught:
        bearer(now, rules, **claims)
    return caught.value


def rules(**changes: Any) -> ClaimRules:
    return msgspec.structs.replace(RULES, **changes)


def test_a_good_token_names_its_bearer() -> None:
    assert bearer() == Bearer("alice", "", None, NOW + 630)


@pytest.mark.parametrize("aud", ["other", ["x", "gateway"]])
def test_one_audience_of_ours_is_enough(aud: object) -> None:
    assert bearer(aud=aud).name == "alice"


@pytest.mark.parametrize("aud", [None, "", "gatewa", "gateway2", [], ["x"], {"gateway": 1}, [["gateway"]], 5])
def test_a_token_for_others_is_refused(aud: object) -> None:
    assert "audience" in refused(aud=aud).message


@pytest.mark.parametrize("iss", [None, "", "https://id.test/", "https://evil.test", ["https://id.test"], 1])
def test_a_token_of_others_is_refused(iss: object) -> None:
    assert "issuer" in refused(iss=iss).message


def test_a_token_counts_until_its_end_and_the_leeway() -> None:
    assert bearer(NOW + 629.9).until == NOW + 630
    assert "expired" in refused(NOW + 630).message


@pytest.mark.parametrize("exp", [None, "1900000000", True, [], "never", {"a": 1}])
def test_a_token_without_an_end_is_refused(exp: object) -> None:
    assert "exp" in refused(exp=exp).message


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused(claim: str) -> None:
    assert bearer_of({**GOOD, claim: NOW + 30}, RULES, NOW).name == "alice"
    for value, said in ((NOW + 31, f"not valid yet ({claim})"), ("soon", claim)):
        with pytest.raises(ClaimError) as caught:
            bearer_of({**GOOD, claim: value}, RULES, NOW)
        assert said in caught.value.message


def test_times_of_any_size_are_times() -> None:
    assert bearer(exp=1e300).until > NOW
    assert "expired" in refused(exp=-1e300).message
    assert "expired" in refused(exp=float("-inf")).message


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_a_claim_that_is_required_is_there_and_says_something(value: object) -> None:
    wanted = rules(required=("realm.tenant",))
    assert "'realm.tenant'" in refused(rules=wanted, realm={"tenant": value}).message
    assert bearer(rules=wanted, realm={"tenant": "t"}).name == "alice"


@pytest.mark.parametrize("sub", [None, "", " " * 0, "a" * 129, "a\nb", "\x00", ["alice"], True, 1.5])
def test_nobody_is_no_bearer(sub: object) -> None:
    assert "name" in refused(sub=sub).message


def test_a_name_may_be_a_number_or_another_claim() -> None:
    assert bearer(sub=42).name == "42"
    assert bearer(rules=rules(name="email"), email="a@b.test").name == "a@b.test"


@pytest.mark.parametrize(
    ("claim", "team"),
    [("ml", "ml"), (["ml", "x"], "ml"), (None, "rest"), ([], "rest"), (5, "rest"), ({"ml": 1}, "rest")],
)
def test_a_team_is_the_claims_first_or_the_default(claim: object, team: str) -> None:
    assert bearer(rules=rules(team="team", default_team="rest"), team=claim).team == team


def test_groups_are_mapped_to_teams_in_the_order_of_the_config() -> None:
    wanted = rules(team="realm_access.roles", teams={"admins": "ops", "ml-all": "ml"})
    assert bearer(rules=wanted, realm_access={"roles": ["x", "ml-all", "admins"]}).team == "ops"
    assert bearer(rules=wanted, realm_access={"roles": "ml-all"}).team == "ml"
    none = refused(rules=wanted, realm_access={"roles": ["x"]})
    assert none.known
    assert "realm_access.roles" in none.message
    assert refused(rules=wanted, realm_access="ml-all").known
    assert bearer(rules=msgspec.structs.replace(wanted, default_team="rest")).team == "rest"


def test_a_claim_whose_own_name_has_dots_comes_before_a_path() -> None:
    wanted = rules(team="https://example.test/team")
    assert bearer_of({**GOOD, "https://example.test/team": "ml"}, wanted, NOW).team == "ml"


@pytest.mark.parametrize(
    ("claim", "routers"),
    [
        ("a b", {"a", "b"}), (["a", "b"], {"a", "b"}), (["a", 5, None], {"a"}),
        (None, set()), ("", set()), ({"a": True}, set()), (True, set()),
    ],
)  # fmt: skip
def test_routers_are_those_of_the_claim_and_none_without_it(claim: object, routers: set[str]) -> None:
    assert bearer(rules=rules(routers="routers"), routers=claim).routers == frozenset(routers)


def test_no_claim_gives_more_than_the_issuer_may() -> None:
    wanted = rules(routers="routers", only_routers=frozenset({"a"}))
    assert bearer(rules=wanted, routers="a b").routers == frozenset({"a"})
    assert bearer(rules=rules(only_routers=frozenset({"a"})), routers="a b").routers == frozenset({"a"})


def test_no_message_quotes_the_token() -> None:
    for claims in ({"sub": None, "aud": "hunter2"}, {"iss": "hunter2"}, {"exp": "hunter2"}):
        assert "hunter2" not in refused(**claims).message


def test_a_project_is_its_claims_or_the_issuers() -> None:
    named = rules(project="proj", default_project="main")
    assert bearer(rules=named, proj="search").project == "search"
    assert bearer(rules=named, proj=["first", "second"]).project == "first"
    assert bearer(rules=named).project == "main"
    assert bearer(rules=named, proj=7).project == "main", "what is no text names nothing"
    assert bearer(proj="search").project == ""


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129])
def test_a_project_that_cannot_be_a_name_is_refused(name: str) -> None:
    assert "project" in refused(rules=rules(project="proj", default_project="main"), proj=name).message
