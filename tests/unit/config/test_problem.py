from __future__ import annotations

from gateway.config.problem import ConfigError, Problem, dotted, in_order


def test_a_path_reads_as_it_is_written() -> None:
    assert dotted(("routers", "a", "load-balance", "chat", "providers", 1, "weight")) == (
        "routers.a.load-balance.chat.providers[1].weight"
    )
    assert dotted(("model-mappings", "gpt-4.1")) == 'model-mappings["gpt-4.1"]'
    assert dotted(()) == ""


def test_a_problem_is_a_line_and_its_hint() -> None:
    problem = Problem("error", "x", "f:1:2", "a.b", "is wrong", "mend it")
    assert str(problem) == "f:1:2: error: a.b: is wrong\n    hint: mend it"
    assert str(Problem("warning", "x", "f", "", "is odd")) == "f: warning: is odd"
    assert str(ConfigError([problem])) == str(problem)


def test_problems_come_in_the_order_of_the_file_and_once() -> None:
    places = ["f:10:1", "f:9:20", "f:9:3", "e", "f:9:3"]
    ordered = in_order([Problem("error", "x", place, "", "") for place in places])
    assert [problem.place for problem in ordered] == ["e", "f:9:3", "f:9:20", "f:10:1"]
