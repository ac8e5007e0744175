"""Waiting in a line: in order, alone, and not for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from convomono.lib.turns import Turns


def wait_until(condition):
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("It never came so far.")


def test_lets_each_through_alone_in_the_order_of_their_coming():
    turns, order, inside = Turns(), [], []

    def pass_through(number):
        with turns.one(timeout=20):
            inside.append(number)
            order.append(tuple(inside))
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        with turns.one(timeout=20):
            passing = []
            for number in range(8):
                passing.append(pool.submit(pass_through, number))
                wait_until(lambda: len(turns._queue) == len(passing) + 1)
        for one in passing:
            one.result(20)

    assert order == [(number,) for number in range(8)]


def test_goes_on_without_a_turn_after_a_while_and_keeps_nobody_waiting():
    turns = Turns()

    def impatient():
        with turns.one(timeout=0.01):
            return True

    with ThreadPoolExecutor(1) as pool, turns.one(timeout=1):
        assert pool.submit(impatient).result(20)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(impatient).result(20)
    assert not turns._queue


def test_gives_whoever_has_the_turn_the_same_turn_inside():
    turns = Turns()

    with turns.one(timeout=0), turns.one(timeout=0):
        assert len(turns._queue) == 1
    assert not turns._queue


def test_lets_the_next_through_after_an_error():
    turns = Turns()

    def fail():
        with turns.one(timeout=20):
            raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        errors = [one.exception(20) for one in [pool.submit(fail) for _ in range(4)]]

    assert [type(error) for error in errors] == [ZeroDivisionError] * 4
    assert not turns._queue
