"""What is remembered of sequences, and how much."""

from roleforge_llm.prefixes import LEAST, Known, Prefixes, worth


def remembered(prefixes, items, key=None, size=10):
    count, earlier = prefixes.find(key, items)
    prefixes.keep(Known(key, items, list(items), size), earlier, count)


def test_a_sequence_is_found_by_what_it_begins_with():
    prefixes = Prefixes()
    remembered(prefixes, [1, 2, 3])
    remembered(prefixes, [1, 5])
    count, known = prefixes.find(None, [1, 2, 4])
    assert count == 2
    assert known.value == [1, 2, 3]
    assert prefixes.find(None, [7]) == (0, None)
    assert prefixes.find("other", [1, 2, 3]) == (0, None)


def test_a_longer_sequence_takes_the_place_of_the_one_it_continues():
    prefixes = Prefixes()
    for end in range(1, 100):
        remembered(prefixes, list(range(end)))
    remembered(prefixes, [0, "another"])
    assert prefixes.find(None, list(range(200)))[0] == 99


def test_only_the_last_few_are_remembered():
    prefixes = Prefixes()
    for number in range(30):
        remembered(prefixes, [number, 1])
    found = [number for number in range(30) if prefixes.find(None, [number, 1])[1]]
    assert found == list(range(22, 30))


def test_only_so_much_text_is_remembered():
    prefixes = Prefixes()
    remembered(prefixes, [1], size=3_000_000)
    remembered(prefixes, [2], size=3_000_000)
    assert prefixes.find(None, [1])[1] is None
    remembered(prefixes, [3], size=30_000_000)
    assert prefixes.find(None, [3])[1] is None


def test_of_what_is_new_only_the_beginning_is_worth_remembering():
    items = list(range(50))
    assert worth(0, items) == items[:LEAST]
    assert worth(LEAST, items) == items
