"""The same question gets the same answer, and different questions get unrelated ones."""

from __future__ import annotations

from itertools import product

from edge_agent.simulator.randomness import Topic, generator


def test_each_question_has_numbers_of_its_own() -> None:
    asked = list(product(range(3), Topic, range(5)))
    answers = {tuple(generator(*question).integers(0, 2**62, 2).tolist()) for question in asked}
    assert len(answers) == len(asked)


def test_the_same_question_gets_the_same_answer() -> None:
    one, other = (generator(4, Topic.BELT, 9).random(5).tolist() for _ in range(2))
    assert one == other
