from __future__ import annotations

import pytest

from gateway.config.names import provider_name_problem, router_name_problem


@pytest.mark.parametrize("name", ["production", "dev", "team-a", "cost_opt", "v2", "A", "my_router", "a" * 12])
def test_names_of_routers(name: str) -> None:
    assert router_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "very-long-router-name", "team@prod", "a b", "a\n", "é", "a" * 13])
def test_no_names_of_routers(name: str) -> None:
    found = router_name_problem(name)
    assert found is not None
    assert "1 to 12" in found[0]


@pytest.mark.parametrize("name", ["vllm", "my-vllm_2", "0x", "a" * 32])
def test_names_of_providers(name: str) -> None:
    assert provider_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "A", "-a", "a.b", "a/b", "a\n", "a" * 33])
def test_no_names_of_providers(name: str) -> None:
    assert provider_name_problem(name) is not None
